"""Floor 1: how numbers are printed. MB is 10^6 bytes; the prefixes are the decimal ones."""

from archcalc.count import Number

PREFIXES = ("", "K", "M", "G", "T", "P", "E")
BYTES_OF = {
    "fp64": 8,
    "fp32": 4,
    "tf32": 4,  # a float32 in memory, whatever the multiplier sees
    "fp16": 2,
    "bf16": 2,
    "fp8": 1,
    "int8": 1,
}
ELEMENT = {**BYTES_OF, "int64": 8}  # bytes of whatever a tensor can hold
ALIASES = {"float64": "fp64", "double": "fp64", "float32": "fp32", "float": "fp32"} | {
    "float16": "fp16",
    "half": "fp16",
    "bfloat16": "bf16",
}


def rounded(number: Number, digits: int, space: str = "") -> str:
    """An integer to so many significant digits with a decimal prefix, rounded half up.

    ``rounded(3_211_264, 2) == "3.2M"``, ``rounded(802_816, 2) == "800K"`` as in the assignment's
    Table 1; ``rounded(19_632_062_464, 4, " ") == "19.63 G"``. Numbers of at most three digits stay
    exact; formulas too.
    """
    if not isinstance(number, int):
        return str(number)
    size = abs(number)
    if size < 1000:  # noqa: PLR2004 - the first prefix
        return str(number)
    places = len(str(size)) - digits  # how many last digits go
    if places > 0:
        size = (size + 10**places // 2) // 10**places * 10**places
    prefix = min((len(str(size)) - 1) // 3, len(PREFIXES) - 1)
    integer, rest = divmod(size, 1000**prefix)
    decimals = max(0, digits - len(str(integer)))
    fraction = f"{rest:0{3 * prefix}d}"[:decimals].rstrip("0") if decimals else ""
    sign = "-" if number < 0 else ""
    return f"{sign}{integer}{'.' if fraction else ''}{fraction}{space}{PREFIXES[prefix]}"


def in_bytes(number: Number, digits: int = 4) -> str:
    """A number of bytes for people: ``574.7 MB``."""
    if not isinstance(number, int):
        return f"{number} B"
    text = rounded(number, digits, " ")
    return text + "B" if text[-1].isalpha() else text + " B"


def ratio(part: int, whole: int, places: int) -> str:
    """``part/whole`` with so many decimals, rounded half up, without a float on the way."""
    scaled = (2 * part * 10**places + whole) // (2 * whole)
    digits = f"{scaled:0{places + 1}d}"
    return f"{digits[:-places]}.{digits[-places:]}" if places else digits


def share(part: Number, whole: Number) -> str:
    """A percentage to one decimal, ``64.4``; nothing where letters or a zero whole forbid it."""
    if not isinstance(part, int) or not isinstance(whole, int) or whole == 0:
        return ""
    return ratio(100 * part, whole, 1)
