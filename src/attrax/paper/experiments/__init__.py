"""The paper's figures and statements, one file each, and each with an `EXPERIMENT`; `_registry.py` names them."""
