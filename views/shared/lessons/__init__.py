"""What a class does with the app: lessons, what was found in each, and the sheet to print."""
