"""PyTorch with its forward and backward compiled by torch.compile, which needs a C++ compiler at run time."""

from functools import partial

import torch

from fastbp.bench.peers import torch_

NAME = "PyTorch, compiled"
version = torch_.version
prepare = partial(torch_.prepare, transform=torch.compile)
