# %% [markdown]
# # The theorem, and the training that follows it
#
# Why should training make an example an attractor? For a single example there is a complete answer. The paper solves
# the training of a network in closed form: it says which network gradient descent ends at, and what its one
# eigenvalue is. This lesson follows the proof with numbers, and then trains a network to check it.

# %%
import jax
import jax.numpy as jnp
import jax.random as jr
import matplotlib.pyplot as plt
import numpy as np

import attrax as ax
from attrax import theory

# %% [markdown]
# ## The network stays simple
#
# Take one example $x$ with $\Vert x\Vert = 1$ and a network with one hidden layer of $k$ units and no biases,
#
# $$f(z) = A \varphi(B z)$$
#
# It is trained by gradient descent on $\tfrac12\Vert x - f(x)\Vert^2$, starting from $A = x u_0^\top$ and $B = v_0
# x^\top$. The first step of the proof is that the matrices keep this form: $A = x u^\top$ and $B = v x^\top$ at every
# step. Only the $k$ numbers in $u$ and the $k$ numbers in $v$ change. If they are equal at the start, they stay
# equal, and training is a path in the plane of two numbers, $u$ and $v$.
#
# Let us see. Here is plain gradient descent on all entries of both matrices, in JAX.

# %%
dimension, k, rate = 10, 3, 0.05
x = jr.normal(jr.key(0), (dimension,))
x = x / jnp.linalg.norm(x)


def network(weights, z):
    A, B = weights
    return A @ jax.nn.sigmoid(B @ z)


def loss(weights):
    return 0.5 * jnp.sum((x - network(weights, x)) ** 2)


step = jax.jit(lambda weights: jax.tree.map(lambda w, g: w - rate * g, weights, jax.grad(loss)(weights)))
weights = (jnp.outer(x, jnp.ones(k)), jnp.outer(jnp.ones(k), x))
path = []
for _ in range(400):
    A, B = weights
    path.append((float(x @ A[:, 0]), float(B[0] @ x)))
    weights = step(weights)
print(f"loss {loss(weights):.1e}; singular values of A: {jnp.linalg.svd(A)[1].round(6)}")

# %% [markdown]
# $A$ still has rank one: training has not left the form $x u^\top$.
#
# ## Where the path ends
#
# Along the path one quantity does not change (Theorem 1):
#
# $$\tfrac12 u^2 - \int^{v} \frac{\varphi(z)}{\varphi'(z)} dz = \text{constant}$$
#
# The error is zero where $k u \varphi(v) = 1$. The path follows the first curve until it meets the second one.

# %% Training (dots), the curve that it cannot leave (black), and the curve of zero error (blue)
v = np.linspace(0.2, 1.6, 200)
zero_error = 1 / (k / (1 + np.exp(-v)))
v_flow = np.linspace(0.865, 1.0, 50)
conserved = [2 * theory.ratio_integral("sigmoid", 1.0, end) for end in v_flow]
figure, axes = plt.subplots(figsize=(5.4, 4))
axes.plot(v, zero_error, color=ax.report.BLUE, linewidth=2.5, label="zero error")
axes.plot(v_flow, np.sqrt(np.maximum(1 + np.array(conserved), 0)), color="black", label="conserved quantity")
axes.plot([q for _, q in path[::8]], [p for p, _ in path[::8]], "o", color=ax.report.VERMILION, label="training")
axes.set(xlabel="$v$", ylabel="$u$", xlim=(0.6, 1.2), ylim=(0.3, 1.1))
axes.legend(frameon=False)

# %% [markdown]
# `single_example` computes the point where they meet.

# %%
answer = theory.single_example("sigmoid", k, 1.0, 1.0)
print(f"theory:   u = {answer.u:.5f}, v = {answer.v:.5f}")
print(f"training: u = {path[-1][0]:.5f}, v = {path[-1][1]:.5f}")

# %% [markdown]
# ## The eigenvalue
#
# The Jacobian at $x$ is a multiple of $x x^\top$. So it has a single nonzero eigenvalue, and Theorem 2 says which:
#
# $$\lambda_1 = \frac{v \varphi'(v)}{\varphi(v)}$$

# %%
jacobian = np.asarray(jax.jacfwd(lambda z: network(weights, z))(x))
eigenvalues = np.sort(np.abs(np.linalg.eigvals(jacobian)))[::-1]
print(f"theory:   {answer.top_eigenvalue:.5f}")
print(f"training: {eigenvalues[0]:.5f}; all others are below {max(eigenvalues[1], 1e-7):.0e}")

# %% [markdown]
# It is far below 1. The network was only asked to reproduce $x$. Of all networks that do so, gradient descent from
# this start ends at one for which $x$ is an attractor. That is the theorem.
#
# Plain gradient descent takes steps of finite size, so it agrees to some digits only. `check_training` repeats it
# with smaller and smaller rates and extrapolates to rate zero:

# %%
check = ax.analysis.check_training(answer, key=jr.key(0))
print(check.status)
for name, expected, measured in zip(check.names, check.theory, check.training, strict=True):
    print(f"{name}: theory {expected:.12f}, training {measured:.12f}")

# %% [markdown]
# ## Wide and deep networks
#
# What does over-parameterization do? The same formula answers for any width. With more layers, the eigenvalue becomes
# a product of one factor per layer (Corollary 2).

# %% The eigenvalue against width (left) and depth (right), from the same start
widths, depths = [1, 2, 4, 8, 16, 32, 64, 128, 256], range(1, 9)
figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.4), sharey=True)
for name, color in (("sigmoid", ax.report.BLUE), ("tanh", ax.report.GREEN), ("swish", ax.report.VERMILION)):
    wide = [theory.single_example(name, width, 0.5, 0.5) for width in widths]
    left.semilogx(widths, [abs(found.top_eigenvalue) for found in wide], "o-", color=color, label=name)
    deep = [theory.single_example(name, 2, 0.5, 0.5, depth, [0.5] * (depth - 1)) for depth in depths]
    right.plot(depths, [abs(found.top_eigenvalue) for found in deep], "o-", color=color)
for axes, name in ((left, "width"), (right, "depth")):
    axes.axhline(1, color="black", linewidth=1)
    axes.set(xlabel=name, ylim=(0, None))
left.set_ylabel("$|\\lambda_1|$")
left.legend(frameon=False)

# %% [markdown]
# From this start the output of a wide network is far too large, as it is the sum over all units. So training makes
# $u$ or $\varphi(v)$ small, and with more and more units the eigenvalue converges. For the sigmoid $u$ goes to 0, which
# leaves $v = 0.45$ and an eigenvalue of 0.18. For tanh and Swish $v$ comes near 0, where these functions are almost
# straight lines, and the eigenvalue of a straight line is 1. Depth multiplies one factor per layer. For the sigmoid
# and tanh all factors are below 1, and deep networks contract strongly. For Swish they are above 1 from this start.
# The network then interpolates and does not store, and depth makes it worse. The theorem does not promise an
# attractor. It says exactly when there is one.
#
# ## Where it fails
#
# Corollary 1 turns this around. For a value of $v$ with $|v \varphi'(v)/\varphi(v)| > 1$ there is a network that
# reproduces $x$ perfectly, and $x$ repels.

# %%
repelling = theory.corollary1("cosid", 5, 0.7)
print(f"the network reproduces x, and its eigenvalue is {repelling.top_eigenvalue:.2f}")
for name in ("sigmoid", "swish", "cosid", "tanh"):
    found = theory.admissible_intervals(name, -5.0, 5.0)
    print(f"{name}: {[(round(low, 2), round(high, 2)) for low, high in found.intervals]}")

# %% [markdown]
# These are the intervals of $v$ between −5 and 5 in which a perfect network repels its example. For tanh there is
# none.
#
# ## Exercises
#
# **1.** Show that $\lambda_1 = 1$ for a ReLU network without biases, whatever the training does (as long as $v > 0$).
# Why is that bad?

# %% [markdown] tags=["answer"]
# For $v > 0$ the ReLU is $\varphi(v) = v$ with $\varphi' = 1$, so $v\varphi'/\varphi = 1$. There is a simpler reason
# as well: without biases $f(cz) = c f(z)$ for $c > 0$, so every multiple of $x$ is a fixed point, too. Nothing pulls
# a picture that is too dark or too bright back to $x$. It is not an attractor.

# %% tags=["answer"]
for k_relu in (1, 3, 100):
    print(k_relu, theory.single_example("relu", k_relu, 0.5, 0.5).top_eigenvalue)

# %% [markdown]
# **2.** Two examples as a sequence: $x_1 \mapsto x_2 \mapsto x_1$, with one network for each step (Theorem 4). Swish
# with 3 units starts from $u_0 = 0.4, v_0 = 0.5$ for one step and from $-0.4, -0.5$ for the other. Which eigenvalue
# decides, and is the cycle stable?

# %% tags=["answer"]
first = theory.single_example("swish", 3, 0.4, 0.5)
second = theory.single_example("swish", 3, -0.4, -0.5)
product = theory.sequence([first, second])
print(first.top_eigenvalue, "·", second.top_eigenvalue, "=", product.top_eigenvalue)

# %% [markdown] tags=["answer"]
# The product decides. It is below 1, so the cycle is stable, although one of the two steps expands.

# %% [markdown]
# **3.** Change `rate` in the training above to 0.5. Does the path still end at the same point?

# %% tags=["answer"]
for other in (0.05, 0.5, 2.0):
    found = theory.gradient_descent("sigmoid", 3, 1.0, 1.0, other, 400)
    print(f"rate {other}: u = {found.u:.5f}, v = {found.v:.5f}")

# %% [markdown] tags=["answer"]
# Not exactly. The theorem is about infinitely small steps, and the larger the steps, the farther the end is from the
# one of the theorem. With a rate of 2 the path jumps to another part of the curve of zero error. `gradient_descent`
# computes the same numbers as the training above, without the matrices.
