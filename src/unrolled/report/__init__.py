"""What a person sees: of a training while it runs, of its result beside baselines, of the runs there are."""
