"""Where to operate when errors have a price: from stored predictions to counts at every threshold, never the model."""
