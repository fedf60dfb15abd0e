`llmproxy prices` shows what models cost, finds those that have no price, and gives what was used other costs after prices have changed.
