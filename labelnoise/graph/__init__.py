"""Wrong node labels in graphs: loaders, node noise, GraphCleaner, and a calibrated detector of its own."""
