//! Tensors by name: safetensors, GGUF, the authors' layout, model packages, load reports.
