"""Look at the data before training: counts, samples, contact sheet, Croissant."""
