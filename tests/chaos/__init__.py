"""Chaos: a real server under load, whose processes are killed at random; then a checker proves that nothing is lost.

    server.py   the server, started again and again on one port and one home
    agent.py    who kills, stops and hangs up
    load.py     the clients, and the book of what they were promised
    checker.py  the proof
"""
