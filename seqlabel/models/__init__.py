"""The encoders and the criteria; a criterion has the loss and defines how its output is decoded."""
