"""Certificates of stability, and the matrices and bounds behind them."""

from attrax._certificate import Certificate as Certificate
from attrax.certificates._ball_growth import RowSpace as RowSpace
from attrax.certificates._ball_growth import row_space as row_space
from attrax.certificates._bounds import Leading as Leading
from attrax.certificates._bounds import leading_eigenvalue as leading_eigenvalue
from attrax.certificates._bounds import power_bound as power_bound
from attrax.certificates._certify import certify as certify
from attrax.certificates._contraction import Contraction as Contraction
from attrax.certificates._contraction import contraction as contraction
from attrax.certificates._contraction import quadratic_contraction as quadratic_contraction
from attrax.certificates._map_jacobian import map_product as map_product
from attrax.certificates._network_product import network_product as network_product
from attrax.certificates._network_slopes import Factors as Factors
from attrax.certificates._network_slopes import network_factors as network_factors
from attrax.certificates._network_slopes import network_slopes as network_slopes
from attrax.certificates._radius import BasinRadius as BasinRadius
from attrax.certificates._radius import basin_radius as basin_radius
from attrax.certificates._running_product import Product as Product
from attrax.certificates._spectrum import Spectrum as Spectrum
from attrax.certificates._spectrum import spectrum as spectrum
