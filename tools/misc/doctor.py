"""Show what is installed, what runs where, and the command that fixes each problem."""
import argparse


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, epilog='The exit status is 1 if there is a problem, else 0.')
    return parser.parse_args()


def main() -> None:
    parse_args()

    from mmseam.analysis.environment import describe_environment

    environment = describe_environment()
    width = max(len(name) for name, _ in environment.facts)
    for name, value in environment.facts:
        print(f'{name:<{width}}  {value}')
    if not environment.problems:
        print('\nno problems found')
        return
    print()
    for problem in environment.problems:
        print(f'problem: {problem}')
    raise SystemExit(1)


if __name__ == '__main__':
    main()
