`retry: {hedge: 0.95}` makes a second attempt beside one that takes longer than 95 % of its upstream's last answers; it is off by default.
