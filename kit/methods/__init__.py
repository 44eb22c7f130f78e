"""Unlearning methods, one file each: hyper-parameters, what the method needs, and its loss.

Notation, the same in all files: theta_0 is the vanilla model, where unlearning starts; it is also
the reference. D_f and D_r are the forget and the retain records. S = -sum_t log pi(y_t) over the
tokens of an answer and its end token, T is their number, and M = S / T. E_f and E_r are means over
records. A method's loss sees one `Step` and returns a scalar to minimise.

A method is a frozen dataclass: its fields are the options that a manifest may set, `needs` declares
what every step must contain, `loss` computes the loss. The file ends with `METHOD = <the class>`.
A method that changes gradients, not only the loss, has more functions: see `update.py`.
"""

from kit.methods.gradient import Gradient
from kit.methods.needs import Needs
from kit.methods.step import Method, Step
from kit.methods.update import Measured, State, Update

__all__ = ["Gradient", "Measured", "Method", "Needs", "State", "Step", "Update"]
