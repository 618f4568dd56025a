"""Forecasts: the single series, those of the M4 competition, and oil temperatures by the hour."""

from benchmarks.recipes.recipe import Recipe, files

BEATEN = "the mean absolute scaled error less that of the seasonal naive forecast"
NO_WORSE = "within 2 % of the last value, of which nothing is known to be better"

RECIPES = {
    "airline-passengers": Recipe(
        files("series", "airline-passengers.csv"), "mase", 0.0, BEATEN, over="seasonal naive"
    ),
    "sunspots": Recipe(files("series", "monthly-sunspots.csv"), "mase", 0.0, BEATEN, over="seasonal naive"),
    "temperatures": Recipe(
        files("series", "daily-min-temperatures.csv"), "mase", 0.0, BEATEN, over="seasonal naive"
    ),
    "sp500-days": Recipe(files("series", "sp500-2000.csv.gz"), "owa", 0.02, NO_WORSE, over="last value"),
    "sp500-months": Recipe(
        files("series", "s-and-p-500-monthly.csv"), "owa", 0.02, NO_WORSE, over="last value"
    ),
    "m4-hourly": Recipe(
        files("m4", "Hourly-train.csv.gz"), "owa", 0.80, "ES-RNN has 0.615 on the competition's own test part"
    ),
    "m4-weekly": Recipe(
        files("m4", "Weekly-train.csv.gz"), "owa", 0.95, "ES-RNN has 0.952 on the competition's own test part"
    ),
    "etth1": Recipe(
        files("ett", "ETTh1-rows00000-11519.csv.gz"), "scaled_mse", 0.0,
        "less than that of the last value, on values scaled by what was before", over="last value",
    ),
}  # fmt: skip
