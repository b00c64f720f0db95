"""Months of measurements by volunteers, simulated: verdict rows, and what truly happened.

Months cannot be waited for in the lab's namespaces. So here the single measurement is taken
as given, at the rates of error that were measured for it, and what is simulated is all that
lies between measurements: who measures when, what breaks, what decision reaches which network
in which hour. The rows are those of real verdicts (`lab.months.shapes`); the truth is what the
script says, and no row tells it.
"""
