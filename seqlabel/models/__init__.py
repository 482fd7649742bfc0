"""The network and the criteria; a criterion owns its loss and says how its output is decoded."""
