"""Constants of the vector math functions. Written by scripts/fit_polynomials.py.

Polynomials are listed from the constant coefficient up.
"""

LOG2_E = float.fromhex("0x1.7154760000000p+0")
"""1 / ln(2)"""
LN2_HEAD = float.fromhex("0x1.62e4000000000p-1")
"""ln(2), 16 bits: times an exponent it is exact"""
LN2_TAIL = float.fromhex("0x1.7f7d1c0000000p-20")
"""what is left of ln(2)"""
LOG2_E_TAIL = float.fromhex("0x1.4ae0c00000000p-26")
"""what is left of 1 / ln(2)"""
LOG10_E = float.fromhex("0x1.bcb7b20000000p-2")
"""1 / ln(10)"""
LOG10_E_TAIL = float.fromhex("-0x1.5b235e0000000p-27")
"""what is left of it"""
LOG10_2_HEAD = float.fromhex("0x1.3440000000000p-2")
"""log10(2), 16 bits"""
LOG10_2_TAIL = float.fromhex("0x1.3509f80000000p-18")
"""what is left of it"""
HALF_PI = float.fromhex("0x1.921fb60000000p+0")
"""pi / 2"""
HALF_PI_TAIL = float.fromhex("-0x1.777a5c0000000p-25")
"""what is left of it"""
HALF_PI_DOUBLE = float.fromhex("0x1.921fb54442d18p+0")
"""pi / 2 in binary64"""
LN2_DOUBLE = float.fromhex("0x1.62e42fefa39efp-1")
"""ln(2) in binary64"""
LOG2_E_DOUBLE = float.fromhex("0x1.71547652b82fep+0")
"""1 / ln(2) in binary64"""

INVERSE_QUARTER = (
    (float.fromhex("0x1.45f306dc9c883p-1"), float.fromhex("-0x1.6b01ec5417056p-55")),
    (float.fromhex("0x1.b9391054a7f0ap-26"), float.fromhex("-0x1.505c1596447e5p-81")),
    (float.fromhex("0x1.529fc2757d1f5p-52"), float.fromhex("0x1.a6ee06db14acdp-107")),
    (float.fromhex("0x1.d5f47d4d37703p-78"), float.fromhex("0x1.b6295993c4390p-132")),
)
"""2 / pi modulo 4 / 2**s, as head and tail in binary64, for s = 0, 26, 52, 78"""

EXP = (
    float.fromhex("0x1.fffffc0000000p-2"),
    float.fromhex("0x1.5554920000000p-3"),
    float.fromhex("0x1.5558ae0000000p-5"),
    float.fromhex("0x1.1239800000000p-7"),
    float.fromhex("0x1.6a4f280000000p-10"),
)
"""exp(r) = 1 + r + r r p(r); error 2**-28.3"""

EXPM1 = (
    float.fromhex("0x1.0000000000000p-1"),
    float.fromhex("0x1.5555540000000p-3"),
    float.fromhex("0x1.5554f80000000p-5"),
    float.fromhex("0x1.1112da0000000p-7"),
    float.fromhex("0x1.6d3a3a0000000p-10"),
    float.fromhex("0x1.9e6ef40000000p-13"),
)
"""exp(r) - 1 = r + r r p(r); error 2**-31.1"""

EXP2 = (
    float.fromhex("0x1.62e4300000000p-1"),
    float.fromhex("0x1.ebfbdc0000000p-3"),
    float.fromhex("0x1.c6af7a0000000p-5"),
    float.fromhex("0x1.3b2dd40000000p-7"),
    float.fromhex("0x1.5f09520000000p-10"),
    float.fromhex("0x1.4178720000000p-13"),
)
"""2**r = 1 + r p(r); error 2**-28.3"""

LOG = (
    float.fromhex("-0x1.fffff80000000p-2"),
    float.fromhex("0x1.5555500000000p-2"),
    float.fromhex("-0x1.0004320000000p-2"),
    float.fromhex("0x1.99a3e00000000p-3"),
    float.fromhex("-0x1.5425820000000p-3"),
    float.fromhex("0x1.22742c0000000p-3"),
    float.fromhex("-0x1.0f49520000000p-3"),
    float.fromhex("0x1.0837160000000p-3"),
    float.fromhex("-0x1.37a7320000000p-4"),
)
"""log(1 + f) = f + f f p(f); error 2**-27.8"""

LOG2 = (
    float.fromhex("-0x1.7154700000000p-1"),
    float.fromhex("0x1.ec70920000000p-2"),
    float.fromhex("-0x1.715aee0000000p-2"),
    float.fromhex("0x1.277fe20000000p-2"),
    float.fromhex("-0x1.eaa98a0000000p-3"),
    float.fromhex("0x1.a2b5540000000p-3"),
    float.fromhex("-0x1.878f7e0000000p-3"),
    float.fromhex("0x1.7f783c0000000p-3"),
    float.fromhex("-0x1.c6acd80000000p-4"),
)
"""log2(1 + f) = f / ln(2) + f f p(f); error 2**-27.7"""

LOG10 = (
    float.fromhex("-0x1.bcb7aa0000000p-3"),
    float.fromhex("0x1.287a700000000p-3"),
    float.fromhex("-0x1.bcbf460000000p-4"),
    float.fromhex("0x1.63d0760000000p-4"),
    float.fromhex("-0x1.276cb80000000p-4"),
    float.fromhex("0x1.f84d360000000p-5"),
    float.fromhex("-0x1.d75a520000000p-5"),
    float.fromhex("0x1.ccdb400000000p-5"),
    float.fromhex("-0x1.10edec0000000p-5"),
)
"""log10(1 + f) = f / ln(10) + f f p(f); error 2**-27.7"""

TANH = (
    float.fromhex("-0x1.5555320000000p-2"),
    float.fromhex("0x1.1106fc0000000p-3"),
    float.fromhex("-0x1.b837380000000p-5"),
    float.fromhex("0x1.5207b80000000p-6"),
    float.fromhex("-0x1.75619a0000000p-8"),
)
"""tanh(x) = x + x z p(z), z = x x, up to x = 0.625; error 2**-27.7"""

SINH = (
    float.fromhex("0x1.5555560000000p-3"),
    float.fromhex("0x1.1110e00000000p-7"),
    float.fromhex("0x1.a022bc0000000p-13"),
    float.fromhex("0x1.756c1e0000000p-19"),
)
"""sinh(x) = x + x z p(z), z = x x, up to x = 1; error 2**-31.6"""

SIN = (
    float.fromhex("-0x1.5555560000000p-3"),
    float.fromhex("0x1.1111420000000p-7"),
    float.fromhex("-0x1.a0235a0000000p-13"),
    float.fromhex("0x1.6e8fdc0000000p-19"),
)
"""sin(x) = x + x z p(z), z = x x, up to x = pi / 4 and a quarter more; error 2**-31.6"""

COS = (
    float.fromhex("-0x1.fffffe0000000p-2"),
    float.fromhex("0x1.5554ce0000000p-5"),
    float.fromhex("-0x1.6be94a0000000p-10"),
    float.fromhex("0x1.93de000000000p-16"),
)
"""cos(x) = 1 + z p(z), z = x x, up to the same; error 2**-29.7"""

ASIN = (
    float.fromhex("0x1.55555e0000000p-3"),
    float.fromhex("0x1.332e460000000p-4"),
    float.fromhex("0x1.6ea7c60000000p-5"),
    float.fromhex("0x1.dc36240000000p-6"),
    float.fromhex("0x1.efed2a0000000p-6"),
    float.fromhex("-0x1.f0a5aa0000000p-8"),
    float.fromhex("0x1.9cccf80000000p-5"),
)
"""asin(x) = x + x z p(z), z = x x, up to x = 0.58; error 2**-31.7"""

ATAN = (
    float.fromhex("-0x1.55553e0000000p-2"),
    float.fromhex("0x1.9991e60000000p-3"),
    float.fromhex("-0x1.2420b80000000p-3"),
    float.fromhex("0x1.c08f960000000p-4"),
    float.fromhex("-0x1.5816300000000p-4"),
    float.fromhex("0x1.da62120000000p-5"),
    float.fromhex("-0x1.fe02ae0000000p-6"),
    float.fromhex("0x1.64c85a0000000p-7"),
    float.fromhex("-0x1.d4a24a0000000p-10"),
)
"""atan(x) = x + x z p(z), z = x x, up to x = 1; error 2**-28.5"""

TAN = (
    float.fromhex("0x1.fffffff450754p-1"),
    float.fromhex("0x1.5555681cb9abap-2"),
    float.fromhex("0x1.110c1f0e55c18p-3"),
    float.fromhex("0x1.bb1c3bd87ecbdp-5"),
    float.fromhex("0x1.593c4aa2deaf7p-6"),
    float.fromhex("0x1.830b669fd4975p-7"),
    float.fromhex("-0x1.7cc843b3391aap-9"),
    float.fromhex("0x1.485059ce06945p-7"),
    float.fromhex("-0x1.7b8651ebfc545p-8"),
    float.fromhex("0x1.418df20e37ff1p-9"),
)
"""tan(x) = x p(z), z = x x, up to the same; binary64; error 2**-29.5"""

LOG2_DOUBLE = (
    float.fromhex("0x1.71547652a1e9fp+0"),
    float.fromhex("-0x1.715476565d4adp-1"),
    float.fromhex("0x1.ec709ebb91300p-2"),
    float.fromhex("-0x1.715470977ac01p-2"),
    float.fromhex("0x1.277651fd25517p-2"),
    float.fromhex("-0x1.ec72b5a81e8b5p-3"),
    float.fromhex("0x1.a63f441e6aee7p-3"),
    float.fromhex("-0x1.71416eacc198bp-3"),
    float.fromhex("0x1.45291c37759d1p-3"),
    float.fromhex("-0x1.252f58f96a727p-3"),
    float.fromhex("0x1.2871eed21a0fep-3"),
    float.fromhex("-0x1.24884140fb648p-3"),
    float.fromhex("0x1.3ce6e0f638a8cp-4"),
)
"""log2(1 + f) = f p(f); binary64; error 2**-35.8"""

EXP2_DOUBLE = (
    float.fromhex("0x1.00000002626fdp+0"),
    float.fromhex("0x1.62e430c829ce5p-1"),
    float.fromhex("0x1.ebfbdadac5425p-3"),
    float.fromhex("0x1.c6aed4609880ep-5"),
    float.fromhex("0x1.3b2dbc9a98d84p-7"),
    float.fromhex("0x1.5f45976ef2a57p-10"),
    float.fromhex("0x1.41d2e42f9e886p-13"),
)
"""2**r; binary64; error 2**-29.0"""

ERFC_DOUBLE = (
    float.fromhex("0x1.6e9827d03df6dp-3"),
    float.fromhex("-0x1.4e102bb6c7840p-2"),
    float.fromhex("0x1.f6ff219e7514dp-3"),
    float.fromhex("-0x1.336ff393ace95p-3"),
    float.fromhex("0x1.258ad279c6b29p-4"),
    float.fromhex("-0x1.8fa8ef2edadc4p-6"),
    float.fromhex("0x1.17e715d81835ap-8"),
    float.fromhex("0x1.759edf941620bp-11"),
    float.fromhex("-0x1.3ba6bd3c7fa76p-11"),
    float.fromhex("0x1.0197417f8127dp-15"),
    float.fromhex("0x1.1403d85ef818dp-14"),
    float.fromhex("0x1.3acb1b172145cp-18"),
)
"""erfc(x) = exp(-x x) p(t), t = (x - 3) / (x + 3), x up to 10.3; binary64; error 2**-30.6"""

ERF = (
    float.fromhex("0x1.06eba60000000p-3"),
    float.fromhex("-0x1.8127060000000p-2"),
    float.fromhex("0x1.ce24b20000000p-4"),
    float.fromhex("-0x1.b781640000000p-6"),
    float.fromhex("0x1.50e1a80000000p-8"),
    float.fromhex("-0x1.9028d20000000p-11"),
    float.fromhex("0x1.19f8780000000p-14"),
)
"""erf(x) = x + x p(z), z = x x, up to x = 1.15; error 2**-26.1"""

ERF_TAIL = (
    float.fromhex("0x1.004f700000000p+0"),
    float.fromhex("-0x1.2bea9e0000000p-3"),
    float.fromhex("-0x1.e638a00000000p-5"),
    float.fromhex("-0x1.a9f6f40000000p-7"),
    float.fromhex("0x1.be96e20000000p-7"),
    float.fromhex("-0x1.5885c40000000p-9"),
    float.fromhex("0x1.58ed6c0000000p-13"),
)
"""erf(x) = 1 - p(x)**8, from x = 1.15 to 3.95; error 2**-27.4"""
