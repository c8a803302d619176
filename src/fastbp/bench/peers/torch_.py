"""PyTorch, eager: torch.nn and torch.optim as its users write them, with autograd."""

import numpy as np
import torch

from fastbp.bench.peers import loop
from fastbp.bench.workloads import BETA_1, BETA_2, EPSILON, MOMENTUM, flat

NAME = "PyTorch"
ACTIVATIONS = {"sigmoid": torch.nn.Sigmoid, "tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}


def version():
    return torch.__version__


def prepare(workload, layers, X, T, transform=lambda model: model):
    torch.set_num_threads(1)
    modules = []
    for l, (W, b) in enumerate(layers):
        linear = torch.nn.Linear(*W.shape, dtype=getattr(torch, workload.dtype))
        linear.weight.data, linear.bias.data = torch.from_numpy(W.T.copy()), torch.from_numpy(b.copy())
        name = workload.hidden if l + 1 < len(layers) else workload.output
        modules += [linear] + ([ACTIVATIONS[name]()] if name in ACTIVATIONS else [])
    net = torch.nn.Sequential(*modules)
    model = transform(net)
    inputs, targets = torch.from_numpy(X), torch.from_numpy(T)

    if workload.job in ("calls", "predict"):
        def run():
            with torch.inference_mode():
                if workload.job == "predict":
                    return model(inputs)
                return [model(x) for x in rows]

        rows = list(inputs)
        run()
        return run, lambda: np.stack([y.numpy() for y in run()])

    if workload.optimizer == "adam":
        optimizer = torch.optim.Adam(net.parameters(), workload.learning_rate, (BETA_1, BETA_2), EPSILON, fused=True)
    else:
        momentum = MOMENTUM if workload.optimizer == "momentum" else 0
        optimizer = torch.optim.SGD(net.parameters(), workload.learning_rate, momentum, fused=True)

    def loss(y, t):
        if workload.loss == "cross_entropy":
            return torch.nn.functional.cross_entropy(y, t)
        return torch.nn.functional.mse_loss(y, t, reduction="sum") / (2 * (1 if y.ndim == 1 else len(y)))

    def step(x, t):
        optimizer.zero_grad()
        loss(model(x), t).backward()
        optimizer.step()

    if workload.batch == 1:
        run = loop(step, list(zip(inputs, targets, strict=True)))
    else:
        def run():
            order = torch.randperm(len(X)) if workload.shuffle else None
            for start in range(0, len(X), workload.batch):
                rows = slice(start, start + workload.batch) if order is None else order[start:start + workload.batch]
                step(inputs[rows], targets[rows])

    linears = [module for module in net if isinstance(module, torch.nn.Linear)]
    return run, lambda: flat([(linear.weight.detach().numpy().T, linear.bias.detach().numpy()) for linear in linears])
