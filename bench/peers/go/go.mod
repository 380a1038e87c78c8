module docwarden.invalid/bench

go 1.22
