"""Events in the words of vendors: requests as their documents have them, and what their answers mean; pure."""
