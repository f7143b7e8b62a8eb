"""A network as plain data and back: a JSON-able description, and its arrays by name.

The description names classes and fields, the arrays hold all numbers, trained or not, so that what is rebuilt gives the same bits, after
any sequence of edits. Nothing in either is executed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import torch

from kanpde.arguments import nearest
from kanpde.bases import Basis, Map
from kanpde.kan import KAN
from kanpde.layer import Layer
from kanpde.mlp import MLP
from kanpde.network import Network
from kanpde.primitives import Primitive, primitive
from kanpde.separable import SeparableKAN
from kanpde.symbols import Symbol
from kanpde.tensor import TensorKAN

KINDS = {kind.__name__: kind for kind in (KAN, MLP, SeparableKAN, TensorKAN)}


def described(network: Network) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The description of a KAN, MLP, SeparableKAN or TensorKAN, and its arrays.

    Raises ``TypeError`` for other networks, whose code is not ours, and for bases that are no dataclasses of plain fields.
    """
    if type(network).__name__ not in KINDS or type(network) is not KINDS[type(network).__name__]:
        raise TypeError(f"{network} cannot be described: save a module of your own with torch.save(module.state_dict(), path)")
    about: dict[str, Any] = {"kind": type(network).__name__, "dtype": str(network.lower.dtype).removeprefix("torch.")}
    about |= {"seed": network.seed, "given": network.given, "coefficients": len(network.coefficients)}
    about["scaled"] = network.output_scale is not None
    if isinstance(network, KAN):
        about["layers"] = [_described_layer(layer) for layer in network.wires]
        if network.asked:
            asked = dict(network.asked)
            about["widths"], about["asked"] = _plain(asked.pop("widths")), _plain(asked)
    else:
        about["settings"] = _plain(network.settings())
    return about, {name: value.detach().cpu().numpy().copy() for name, value in network.state_dict().items()}


def _described_layer(layer: Layer) -> dict[str, Any]:
    return {
        "inputs": layer.inputs,
        "width": [layer.sums, list(layer.arities)],
        "basis": _plain(layer.basis),
        "entry": layer.entry,
        "bias": layer.bias is not None,
        "symbols": [[symbol.output, symbol.input, symbol.primitive.name] for symbol in layer.symbols],
    }


def rebuilt(about: Mapping[str, Any], arrays: Mapping[str, np.ndarray], primitives: Iterable[Primitive] = ()) -> Network:
    """The network of a description and its arrays, to the same bits; ``primitives`` are those that are not kanpde's own.

    Raises ``ValueError`` for what is no description, or names a basis or a primitive that is not known.
    """
    try:
        return _rebuilt(about, arrays, {primitive.name: primitive for primitive in primitives})
    except (KeyError, IndexError, TypeError, AttributeError, RuntimeError) as error:
        raise ValueError(f"this does not describe a network ({error}): the file is damaged, or of another version of kanpde") from error


def _rebuilt(about: Mapping[str, Any], arrays: Mapping[str, np.ndarray], own: Mapping[str, Primitive]) -> Network:
    dtype = getattr(torch, about["dtype"])
    if about["kind"] == "KAN":
        network: Network = _rebuilt_kan(about, dtype, own)
    else:
        settings = _object(about["settings"])
        network = KINDS[about["kind"]](*settings.pop("widths", ()), seed=about["seed"], dtype=dtype, **settings)
    network.seed = about["seed"]
    network.given = False
    network.with_coefficients([0.0] * about["coefficients"])
    if about["scaled"]:
        network.on_outputs([0.0] * network.outputs, [1.0] * network.outputs)
    network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in arrays.items()})
    network.given = about["given"]
    return network


def _rebuilt_kan(about: Mapping[str, Any], dtype: torch.dtype, own: Mapping[str, Primitive]) -> KAN:
    layers = []
    for each in about["layers"]:
        sums, arities = each["width"]
        width = (sums, arities) if arities else sums
        layer = Layer(each["inputs"], width, basis=_object(each["basis"]), entry=each["entry"], dtype=dtype)
        if each["bias"]:
            layer.put_bias()
        if each["symbols"]:
            terms = [Symbol(output, input, _primitive(name, own)) for output, input, name in each["symbols"]]
            layer.put_symbols(terms, torch.zeros(len(terms), 3))
        layers.append(layer)
    network = KAN.assembled(layers)
    if "asked" in about:
        network.asked = {"widths": tuple(_object(about["widths"])), **_object(about["asked"])}
    return network


def _primitive(name: str, own: Mapping[str, Primitive]) -> Primitive:
    if name in own:
        return own[name]
    try:
        return primitive(name)
    except ValueError as error:
        raise ValueError(
            f"the network has an edge {name!r}, which is no primitive of kanpde: hand it over with primitives=[...]"
        ) from error


def _plain(value: Any) -> Any:
    """Bases, tuples and numbers as JSON: a basis by its class and fields."""
    if isinstance(value, (Basis, Map)) and is_dataclass(value):
        return {"class": type(value).__name__, **{each.name: _plain(getattr(value, each.name)) for each in fields(value) if each.init}}
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return {"tuple": [_plain(each) for each in value]}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"{value!r} cannot be described: a basis is a frozen dataclass whose fields are numbers, texts, tuples or other bases")


def _object(value: Any) -> Any:
    """The inverse of :func:`_plain`."""
    if isinstance(value, Mapping) and set(value) == {"tuple"}:
        return tuple(_object(each) for each in value["tuple"])
    if isinstance(value, Mapping) and "class" in value:
        known = {kind.__name__: kind for parent in (Basis, Map) for kind in _offspring(parent)}
        name = value["class"]
        if name not in known:
            raise ValueError(f"there is no basis {name!r}{nearest(name, list(known))}: import the module that defines it first")
        return known[name](**{key: _object(each) for key, each in value.items() if key != "class"})
    if isinstance(value, Mapping):
        return {key: _object(each) for key, each in value.items()}
    return [_object(each) for each in value] if isinstance(value, list) else value


def _offspring(kind: type) -> Iterable[type]:
    for child in kind.__subclasses__():
        yield child
        yield from _offspring(child)
