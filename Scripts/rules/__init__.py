"""What compare_rules.py is made of: the rules, the scores they need, the runs of bitplan, the report."""


class Refused(Exception):
    """What cannot be done, in one line."""


class Missing(Refused):
    """What was not computed before, where nothing may be computed."""
