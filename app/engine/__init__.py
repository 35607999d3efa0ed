"""How jobs run and end: a dispatcher, its templates, a supervisor for each job, and what asks them."""
