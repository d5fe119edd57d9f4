"""The lung-field network, offline: images and masks (data), network, fit, export and evaluation."""
