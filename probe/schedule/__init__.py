"""Runs that nobody starts: `zond run` by a systemd timer or by cron.

Rule: what is installed is its own record. The unit files, or the lines of the crontab, carry
all that ``status`` and ``remove`` need, so there is no list beside them that could be lost or
be wrong, and a neutral name hides them from nobody who may remove them.

`plan` is what was asked for, `systemd` and `cron` write it down, `surroundings` tells whether
now is a good moment, `slots` when cron's turn is, `diary` keeps what came of each turn.
"""
