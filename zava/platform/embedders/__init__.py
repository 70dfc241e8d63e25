"""What turns text into vectors: the seam (`embedder.py`), three implementations, and the choice between them."""
