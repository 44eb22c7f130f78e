"""The stages' work on a Ray cluster: submit it, wait, and resubmit the work of a dead node"""
