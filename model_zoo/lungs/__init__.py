"""Where the lungs are on a radiograph, and how a model's evidence falls on them."""
