"""Attribution: for whom and for what a program asks, as its request says itself."""
