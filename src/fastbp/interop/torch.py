"""Networks from PyTorch's modules, and modules from networks."""

try:
    import torch
except ImportError as error:
    raise ImportError(f'fastbp.interop.torch needs PyTorch: pip install "fastbp[torch]" ({error})') from error
from torch import nn

from fastbp.interop.chain import Chain


class Threshold(nn.Module):
    """1 where r >= 0, else 0; the slope is taken as 1, as in fastbp."""

    def forward(self, r):
        return (r >= 0).to(r.dtype) + (r - r.detach())


class Gaussian(nn.Module):
    """exp(-r**2)."""

    def forward(self, r):
        return torch.exp(-r * r)


class Sin(nn.Module):
    """sin r."""

    def forward(self, r):
        return torch.sin(r)


class Exp(nn.Module):
    """exp r."""

    def forward(self, r):
        return torch.exp(r)


# PyTorch's softplus is the identity above a threshold, by default 20; above 40 no float64 tells the two apart.
MODULES = {
    "identity": nn.Identity,
    "threshold": Threshold,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "softplus": lambda: nn.Softplus(threshold=40),
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "softsign": nn.Softsign,
    "gaussian": Gaussian,
    "sin": Sin,
    "exp": Exp,
    "softmax": lambda: nn.Softmax(dim=-1),
}
NAMES = {type(make()): name for name, make in MODULES.items()}
# Of modules with numbers of their own, those that a module must have to do the same.
NUMBERS = {
    nn.LeakyReLU: {"negative_slope": (0.01,)},
    nn.ELU: {"alpha": (1.0,)},
    nn.Softplus: {"beta": (1.0,), "threshold": (20.0, 40.0)},
    nn.GELU: {"approximate": ("none",)},
    nn.Softmax: {"dim": (-1, 1)},
    nn.Flatten: {"start_dim": (1,)},
}


def from_torch(module):
    """The network that a PyTorch module computes.

    Parameters
    ----------
    module : torch.nn.Sequential or torch.nn.Linear
        Of Linear layers and activations: those of `to_torch` and PyTorch's Sigmoid, Tanh, ReLU, LeakyReLU of slope
        0.01, ELU of alpha 1, Softplus of beta 1, SiLU, GELU, Softsign, Softmax of rows, Identity. Another Sequential
        may be a part of it. Dropout and Flatten are left out.

    Returns
    -------
    Network
        With copies of the parameters, in their dtype, and the default loss.

    Raises
    ------
    ValueError
        If a part is another module, or has other numbers; it is named. If the parameters are not all of float32, or
        all of float64.

    Examples
    --------
    >>> from torch import nn
    >>> from fastbp.interop.torch import from_torch
    >>> from_torch(nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)))
    Network([2, 3, 1], ['tanh', 'identity'], float32, 13 parameters)
    """
    dtypes = {parameter.dtype for parameter in module.parameters()}
    if dtypes not in ({torch.float32}, {torch.float64}):
        raise ValueError("module must have parameters of float32 or of float64; .float() or .double() converts them; "
                         f"got {sorted(map(str, dtypes))}")
    chain = Chain()
    for name, part in parts(module):
        try:
            add(chain, part)
        except ValueError as error:
            raise ValueError(f"module{name}: {error}") from error
    return chain.network()


def parts(module, name=""):
    """(where it stands, module) of all that is not a Sequential."""
    if isinstance(module, nn.Sequential):
        for number, part in enumerate(module):
            yield from parts(part, f"{name}[{number}]")
    else:
        yield name, module


def add(chain, part):
    kind = type(part)
    for attribute, allowed in NUMBERS.get(kind, {}).items():
        got = getattr(part, attribute)
        if got not in allowed:
            raise ValueError(f"{kind.__name__} must have {attribute}={allowed[0]!r}, got {got!r}")
    if kind is nn.Linear:
        # detach gives the numbers without the graph that they came from.
        W, b = part.weight.detach().cpu().numpy(), part.bias
        chain.affine(W.T, None if b is None else b.detach().cpu().numpy())
    elif kind in NAMES:
        if kind is not nn.Identity:
            chain.activation(NAMES[kind])
    elif kind not in (nn.Dropout, nn.Flatten):
        raise ValueError(f"must be a Linear layer or an activation that fastbp has, got {part}")


def to_torch(net):
    """A PyTorch module that computes what a network does.

    Parameters
    ----------
    net : fastbp.Network

    Returns
    -------
    torch.nn.Sequential
        Of a Linear and an activation for each layer, with copies of the parameters, on the CPU, in the network's dtype.
        Its names are "0.weight", "0.bias", "2.weight", ...; PyTorch keeps W with a row for each neuron.

    Examples
    --------
    >>> import fastbp
    >>> from fastbp.interop.torch import to_torch
    >>> to_torch(fastbp.Network([2, 1], "tanh", dtype="float32"))
    Sequential(
      (0): Linear(in_features=2, out_features=1, bias=True)
      (1): Tanh()
    )
    """
    modules = []
    for W, b, activation in zip(net.weights, net.biases, net.activations, strict=True):
        linear = nn.utils.skip_init(nn.Linear, *W.shape, dtype=getattr(torch, net.dtype.name))
        with torch.no_grad():
            linear.weight[...] = torch.from_numpy(W.T.copy())
            linear.bias[...] = torch.from_numpy(b.copy())
        modules += [linear, MODULES[activation]()]
    return nn.Sequential(*modules)
