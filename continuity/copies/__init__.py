"""The copies of the data: whether each one is complete and recent enough for the plan.

report.py     copies and their faults. Makes no calls
aws.py        reads the copies at AWS, and compares them with the plan
"""
