"""Alarms: mail to the people of the plan when a copy of the data fails.

mail.py      topics with recipients, and rules that send a mail for an event
copies.py    the events of one region that can end a copy
"""
