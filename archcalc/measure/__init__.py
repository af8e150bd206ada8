"""Floor 7: where a layer meets a module of torch. Its modules load torch."""
