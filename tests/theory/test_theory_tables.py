"""The numbers of the theory's check tables, to the digits printed."""

import math
from decimal import Decimal

import numpy as np
import pytest

from attrax import theory


def same(value: float, printed: str) -> bool:
    """Whether `value` rounds to `printed`."""
    digits = -int(Decimal(printed).as_tuple().exponent)
    return abs(float(value) - float(printed)) <= 0.5001 * 10.0**-digits


def check(values, printed: str) -> None:
    numbers = printed.split()
    for value, number in zip(np.ravel(values), numbers, strict=True):
        assert same(value, number), f"{value!r} is not {number}"


TABLE_1 = [
    ("sigmoid", 2, 1, 1, ".6974451196 .9291474283 .2630395137"),
    ("sigmoid", 5, 0.3, -0.5, ".5126483132 -.4467615924 -.2724660448"),
    ("sigmoid", 10, 0, 0, ".1990171141 .009877481259 .004914349669"),
    ("softplus", 3, 0.2, 0.4, ".3582708004 .4288627742 .2791504775"),
    ("tanh", 4, 0.5, 0.6, ".4756895082 .5839810257 .8042616668"),
    ("exp", 2, 0.3, -0.2, ".5493414023 -.09411201187 -.09411201187"),
    ("cosid", 3, 0.2, 0.1, ".3517847492 .051143334 -.05673355898"),
    ("cosid", 4, -0.3, 1.5, "-.1852611248 1.460008229 2.15722911"),
    ("swish", 3, -0.4, -0.5, "-1.256919054 -.952954864 .3122438631"),
    ("swish", 3, 0.4, 0.5, ".6495595924 .7544865814 1.241318371"),
    ("selu", 2, -0.4, -0.6, "-.5700773216 -.6909022017 .6940148037"),
    ("z^.5", 3, 0.5, 0.7, ".4074354386 .6693293795 .5"),
    ("z^2", 3, 0.5, 0.7, ".5533497121 .7761390389 2"),
    ("relu", 3, 0.3, 0.8, ".3963959368 .8409100658 1"),
]


@pytest.mark.parametrize(("activation", "k", "u0", "v0", "printed"), TABLE_1)
def test_theorems_1_and_2(activation, k, u0, v0, printed) -> None:
    answer = theory.single_example(activation, k, u0, v0)
    check([answer.u, answer.v, answer.top_eigenvalue], printed)
    assert answer.status == "solved"
    assert answer.h == answer.v
    assert answer.residual < 1e-14
    # Proposition 4 is another formula for the same number.
    units = theory.top_eigenvalue(activation, [answer.u] * k, [answer.v] * k)
    assert units == pytest.approx(answer.top_eigenvalue, rel=1e-12)


def test_trapped_row() -> None:
    answer = theory.single_example("sinusoid", 3, 0.4, 0.1)
    check([answer.u, answer.v], ".871130394 .2094394")
    assert 0 < answer.top_eigenvalue < 1e-5
    assert answer.status == "trapped"


SIGMOID = [
    (1, "1.1005369155 .2747372720 .5390487305 .1985903496"),
    (2, ".9291474283 .2630395137 .1969413008 .0888054008"),
    (5, ".8704805986 .2569260998 .0381483218 .0187103814"),
    (10, ".8615568257 .2558945965 .0098774813 .0049143497"),
    (100, ".8585787489 .2555442633 9.9987503e-5 4.9991252e-5"),
    (1000, ".8585488833 .2555407344 9.9999875e-7 4.9999913e-7"),
]


@pytest.mark.parametrize(("k", "printed"), SIGMOID)
def test_sigmoid_against_width(k, printed) -> None:
    ones, zeros = theory.single_example("sigmoid", k, 1, 1), theory.single_example("sigmoid", k, 0, 0)
    check([ones.v, ones.top_eigenvalue, zeros.v, zeros.top_eigenvalue], printed)


TABLE_2 = [
    ("sigmoid", 1, (0.5, 0.2), (0.3, -0.4), "1.15223419 .65044963", ".51501575 -.28794238", ".0930706062"),
    (
        "tanh",
        1,
        (0.8, -0.2, 0.3),
        (0.5, 0.7, -0.1),
        "1.1959274 .19145517 .29645734",
        ".90272687 .69824000 .08887918",
        ".6347979143",
    ),
    ("sigmoid", 2, (0.5, 0.5), (0.3, 0.3), ".61997105 .61997105", "1.42735763 1.42735763", ".2762090168"),
    ("softplus", 0.5, [0.2] * 3, [0.1] * 3, " ".join([".47094978"] * 3), " ".join([".02907343"] * 3), ".0208367233"),
]


@pytest.mark.parametrize(("activation", "norm", "u0", "v0", "u", "h", "top"), TABLE_2)
def test_unequal_units_and_norms(activation, norm, u0, v0, u, h, top) -> None:
    answer = theory.single_example(activation, len(u0), u0, v0, norm=norm)
    check(answer.u, u)
    check(answer.h, h)
    check([answer.top_eigenvalue], top)
    np.testing.assert_allclose(answer.v * norm**2, answer.h, rtol=1e-15)
    if len(set(u0)) == 1:
        equal = theory.single_example(activation, len(u0), u0[0], v0[0], norm=norm)
        np.testing.assert_allclose(answer.u, equal.u, rtol=1e-11)
        assert answer.top_eigenvalue == pytest.approx(equal.top_eigenvalue, rel=1e-11)


TABLE_3 = [
    ("sigmoid", 2, -2, "4.194528049 -1.761594156"),
    ("softplus", 3, -2, "2.626160535 -1.878276057"),
    ("swish", 4, 1.5, ".2038550267 1.273638286"),
    ("cosid", 2, 1, "-1.087671325 4.005830371"),
    ("cosid", 5, 0.7, "3.084411683 -17.75005485"),
    ("sinusoid", 3, 0.6, ".6126134533 3.220271862"),
]


@pytest.mark.parametrize(("activation", "k", "v", "printed"), TABLE_3)
def test_corollary_1(activation, k, v, printed) -> None:
    network = theory.corollary1(activation, k, v)
    check([network.u, network.top_eigenvalue], printed)
    assert network.status == "solved"
    assert network.attractor is False
    assert theory.is_interpolating(activation, [network.u] * k, [v] * k)
    assert v in theory.admissible_intervals(activation, -3, 3)


TABLE_4 = [
    ("z^.5", 2, 0.5, [0.5], 0.6, ".556999916", ".514841943", ".612423242", ".25"),
    ("z^.5", 3, 0.3, [0.4, 0.2], 0.5, ".413700625", ".408365462 .231354060", ".510042671", ".125"),
    ("sigmoid", 2, 0.7, [0.4], 0.3, ".808862811", ".418162785", ".306312364", ".023890381"),
    ("sigmoid", 3, 0.5, [0.3, -0.2], 0.8, ".767444101", ".292197136 -.136163110", ".797849541", "-.007905008"),
    ("tanh", 3, 0.6, [0.5], 0.9, ".440751429", ".469647785", ".868994823", ".352568579"),
    ("softplus", 2, 0.4, [0.2, 0.3], 0.1, ".495519953", ".207234542 .323196298", ".102077253", ".005218553"),
    ("cosid", 2, 0.2, [0.3], 0.1, ".567530151", ".074267880", ".217935256", ".049711122"),
    ("swish", 2, 0.8, [0.6], 0.9, ".833078927", ".627493717", ".946155970", "1.587276338"),
    ("relu", 2, 0.5, [0.6, 0.7], 0.8, ".427754991", ".571390555 .675638340", ".756950680", "1"),
]


@pytest.mark.parametrize(("activation", "k", "u0", "w0", "v0", "u", "w", "v", "top"), TABLE_4)
def test_deep_theorem_and_corollary_2(activation, k, u0, w0, v0, u, w, v, top) -> None:
    answer = theory.single_example(activation, k, u0, v0, depth=len(w0) + 1, w0=w0)
    check([answer.u], u)
    check(answer.w, w)
    check([answer.v], v)
    check([answer.top_eigenvalue], top)
    assert answer.status == "solved"
    assert math.prod(answer.factors) == pytest.approx(answer.top_eigenvalue, rel=1e-14)


@pytest.mark.parametrize(
    ("depth", "top"), [(1, ".2630395"), (2, ".0740610"), (3, ".0201013"), (4, ".0053497"), (6, ".00037275")]
)
def test_sigmoid_against_depth(depth, top) -> None:
    check([theory.single_example("sigmoid", 2, 1, 1, depth, [1] * (depth - 1)).top_eigenvalue], top)


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_powers_have_exact_eigenvalues_and_conserved_squares(depth) -> None:
    k, p = 3, 0.5
    u0, w0, v0 = 0.5, np.linspace(0.4, 0.7, depth - 1), 0.6
    answer = theory.single_example("z^0.5", k, u0, v0, depth, w0)
    assert answer.top_eigenvalue == p**depth
    if depth > 1:
        w = np.array(answer.w)
        moved = w**2 - w0**2
        assert k * moved[0] == pytest.approx((answer.v**2 - v0**2) / p, rel=1e-10)
        np.testing.assert_allclose(moved[1:], moved[:-1] / p, rtol=1e-10)
        assert answer.u**2 - u0**2 == pytest.approx(k / p * moved[-1], rel=1e-10)


TABLE_5 = [
    ("sigmoid", 2, [(1, 1), (0.5, 0.2), (0.8, -0.4)], ".2630395137 .1309817940 -.1224388572", "-.004218433382"),
    ("swish", 3, [(0.4, 0.5), (-0.4, -0.5)], "1.241318371 .3122438631", ".3875940437"),
    (
        "tanh",
        2,
        [(0.7, 0.5), (0.6, 0.9), (0.5, 1.2), (0.4, 0.3)],
        ".7548330618 .5906846680 .4292113362 .7275158739",
        ".1392259757",
    ),
]


@pytest.mark.parametrize(("activation", "k", "starts", "factors", "top"), TABLE_5)
def test_theorem_4(activation, k, starts, factors, top) -> None:
    cycle = theory.sequence([theory.single_example(activation, k, u0, v0) for u0, v0 in starts])
    check(cycle.factors, factors)
    check([cycle.top_eigenvalue], top)
    assert cycle.status == "solved"
    assert cycle.attractor is True


def test_theorem_3() -> None:
    answer = theory.single_example("sigmoid", 3, 0.6, 0.4)
    check([answer.u, answer.v, answer.top_eigenvalue], ".5589240544 .3904206017 .1575800225")


def test_exact_steps() -> None:
    one = theory.gradient_descent("sigmoid", 2, 0.3, 0.5, 0.1, 10)
    check([one.u, one.v], ".5775813537 .5439023730")
    two = theory.gradient_descent("tanh", 3, 0.4, 0.2, 0.2, 5)
    check([two.u, two.v], ".5622908005 .4390938740")
    span = theory.span_gradient_descent(
        "tanh", [[1, 0.5], [0.5, 1]], [[0.3, -0.2], [0.1, 0.4]], [[0.5, 0.1], [-0.3, 0.2]], 0.1, 5
    )
    check(span.U, ".4865591527 -.0058771711 .0462488284 .4687987101")
    check(span.V, ".5929530956 .1075112583 -.1657796618 .3943302910")


def test_proposition_4() -> None:
    v, u = np.array([0.3, -0.7, 1.1]), np.array([0.5, 0.2, 0.86158959])
    assert theory.is_interpolating("sigmoid", u, v, atol=1e-8)
    # The third entry is printed to eight digits; the eigenvalue belongs to the one with zero error.
    sigma = 1 / (1 + np.exp(-v))
    u[2] = (1 - u[:2] @ sigma[:2]) / sigma[2]
    check([u[2]], ".86158959")
    check([theory.top_eigenvalue("sigmoid", u, v)], ".1832084758")
