# Passes on what `cargo test --quiet` prints, without the programs that hold no test, and ends with one line of sums.
/^running 0 tests$/ { empty = 1; next }
/^test result:/ { passed += $4; failed += $6 }
empty { if (/^test result:/) empty = 0; next }
/^$/ { next }
{ print; fflush() }
END { printf "%d passed, %d failed\n", passed, failed }
