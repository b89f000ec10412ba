"""Rules that the whole repository keeps: layers, exports, promises, README."""
