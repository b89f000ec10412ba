"""Judges of the end of a turn that are ready to use.

onnx_judge  `OnnxEndOfTurn`: a model from a file, in a process of its own
onnx_model  that process: the model, and what it is fed with
log_mel     the spectrum that models of this kind hear
"""

__all__: list[str] = []
