"""Makes the table of what measure.py wrote: outcomes that agree become one line.

    python compact.py classic 3.10.tsv 4.0.tsv 4.3.tsv > classic.tsv
"""

import sys
from collections import defaultdict

from items import ITEMS

HEAD = "# first\tversions\torder\ttimes\tseconds: README.md explains it; made by compact.py"


def read(kind, files):
    """Of each pair and order: version to times; and of each pair and version, how often it was tried."""
    orders, tried = defaultdict(dict), defaultdict(int)
    for file in files:
        with open(file, encoding="utf-8") as lines:
            for line in lines:
                first, second, of, version, order, times = line.rstrip("\n").split("\t")
                if of == kind and not order.startswith("stuck"):
                    orders[first, second, order][version] = int(times)
                    tried[first, second, version] += int(times)
    return orders, tried


def main():
    kind, *files = sys.argv[1:]
    orders, tried = read(kind, files)
    place = {item.title: n for n, item in enumerate(ITEMS)}
    lines = defaultdict(list)
    for (first, second, order), versions in orders.items():
        alike = defaultdict(list)
        for version, times in versions.items():
            total = tried[first, second, version]
            alike[f"{times} of {total}"].append(version)
        for times, of in alike.items():
            lines[first, ",".join(sorted(of)), order, times].append(second)
    print(HEAD)
    for (first, versions, order, times), seconds in sorted(lines.items(), key=lambda line: (place[line[0][0]], line[0][1:])):
        print(first, versions, order, times, "|".join(sorted(seconds, key=place.get)), sep="\t")


if __name__ == "__main__":
    main()
