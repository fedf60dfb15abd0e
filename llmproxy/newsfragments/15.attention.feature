Admin pages: what needs attention leads to where to look; Usage draws requests beside spend, and says which models have no price and what to do.
