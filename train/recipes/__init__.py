"""One file a model: train/recipes/<model_id>.py with `recipe(quick: bool = False) -> Recipe`."""
