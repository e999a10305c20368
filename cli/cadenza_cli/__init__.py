"""The command `cadenza`: a terminal for the student's queue and the teacher's review.

Nothing here is a library. Programs use `cadenza_client` and `cadenza_uploader`.
"""
