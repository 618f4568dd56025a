"""What several verbs say in the same words."""

RUN = "a run's folder or its name; last is the one trained last"
QUIET = "show nothing but the result"
SHORTER = "Give a shorter text, or end what else is running."
JSON = "leave the result to the caller: print nothing on standard output"
