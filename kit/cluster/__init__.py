"""The stages' work on a Ray cluster: submit, wait, submit again what a dead node was at"""
