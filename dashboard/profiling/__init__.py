"""What a model costs: parameters, operations, time and memory; measured apart from any dataset."""
