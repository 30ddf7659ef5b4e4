"""Certificates of stability, and the matrices and bounds behind them."""

from attrax.certificates._certify import certify as certify
from attrax.certificates._contraction import Contraction as Contraction
from attrax.certificates._contraction import contraction as contraction
from attrax.certificates._contraction import quadratic_contraction as quadratic_contraction
from attrax.certificates._map_jacobian import map_product as map_product
from attrax.certificates._radius import BasinRadius as BasinRadius
from attrax.certificates._radius import basin_radius as basin_radius
from attrax.certificates._spectrum import Spectrum as Spectrum
from attrax.certificates._spectrum import spectrum as spectrum
from attrax.linalg import Leading as Leading
from attrax.linalg import Product as Product
from attrax.linalg import leading_eigenvalue as leading_eigenvalue
from attrax.linalg import power_bound as power_bound
from attrax.maps.mlp import Factors as Factors
from attrax.maps.mlp import RowSpace as RowSpace
from attrax.maps.mlp import network_factors as network_factors
from attrax.maps.mlp import network_product as network_product
from attrax.maps.mlp import network_slopes as network_slopes
from attrax.maps.mlp import row_space as row_space
from attrax.memory import Certificate as Certificate
