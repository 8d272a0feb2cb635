/* network_cases.h - small networks with every operator, at odd sizes: for test_network.c, as they
 * are, and test_int8.c, in 8 bits. */
#ifndef NETWORK_CASES_H
#define NETWORK_CASES_H
#include "made_model.h"

/* clang-format off */
#define NODE(name, op, inputs, rest) \
  "{\"name\":\"" name "\",\"op\":\"" op "\",\"inputs\":[" inputs "]" rest "}"
#define CONV(name, input, rest) NODE(name, "conv", "\"" input "\"", rest)
#define POOL(name, op, input, rest) NODE(name, op, "\"" input "\"", rest)
#define OP1(name, op, input) NODE(name, op, "\"" input "\"", "")
#define OP2(name, op, a, b) NODE(name, op, "\"" a "\",\"" b "\"", "")
/* Attributes. */
#define KERNEL(y, x) ",\"kernel\":[" #y "," #x "]"
#define STRIDE(y, x) ",\"stride\":[" #y "," #x "]"
#define SAME ",\"padding\":\"same\""
#define VALID ",\"padding\":\"valid\""
#define PADS(top, left, bottom, right) ",\"padding\":[" #top "," #left "," #bottom "," #right "]"
#define GROUPS(n) ",\"groups\":" #n
#define W(tensor) ",\"weight\":\"" tensor "\""
#define B(tensor) ",\"bias\":\"" tensor "\""
/* The end of all: an activation, or none, so that the last convolution is left to tail.c. */
#define TAIL "," OP1("y", "relu", "x") "," OP1("gap", "gap", "y") "," FC
#define LINEAR_TAIL "," OP1("gap", "gap", "x") "," FC
#define ACTIVATION(name, op, input, rest) NODE(name, op, "\"" input "\"", rest)
#define SCALE(scale, shift) ",\"scale\":\"" scale "\",\"shift\":\"" shift "\""
#define FC NODE("fc", "fc", "\"gap\"", W("fc") B("fcb"))

static const struct network_case {
  const char *what;
  made_model model;
} cases[] = {
    {"stem, ReLU6",
     {CONV("c", "input", STRIDE(2, 2) SAME W("w") B("b")) ","
      OP1("x", "relu6", "c") TAIL,
      "w:3x3x3x20 b:20 fc:7x20 fcb:7", 7, 17, 23, 40, NULL}},
    {"1x1 on the picture",
     {CONV("x", "input", W("w")) TAIL,
      "w:1x1x3x5 fc:3x5 fcb:3", 3, 9, 5, 12, NULL}},
    {"wide 1x1 chain with residual",
     {CONV("a", "input", W("w") B("b")) ","
      CONV("c", "a", W("v") B("b")) ","
      OP2("s", "add", "a", "c") ","
      OP1("x", "relu", "s") TAIL,
      "w:1x1x3x50 b:50 v:1x1x50x50 fc:4x50 fcb:4", 4, 13, 11, 24, NULL}},
    {"residual from the later side",
     {CONV("a", "input", W("w")) ","
      OP1("r", "relu", "a") ","
      CONV("c", "r", W("v")) ","
      OP2("x", "add", "c", "r") TAIL,
      "w:1x1x3x17 v:1x1x17x17 fc:4x17 fcb:4", 4, 6, 7, 16, NULL}},
    {"sum of a plane with itself, sum of two pools",
     {CONV("a", "input", W("w")) ","
      OP2("s", "add", "a", "a") ","
      POOL("p", "max_pool", "s", KERNEL(3, 3) SAME) ","
      POOL("q", "avg_pool", "s", KERNEL(3, 3) PADS(1, 1, 1, 1)) ","
      OP2("x", "add", "p", "q") TAIL,
      "w:2x3x3x19 fc:4x19 fcb:4", 4, 8, 9, 16, NULL}},
    {"depthwise 3x3 s1 and s2",
     {CONV("a", "input", W("w")) ","
      CONV("d", "a", SAME GROUPS(37) W("v") B("b")) ","
      OP1("r", "relu6", "d") ","
      CONV("x", "r", SAME STRIDE(2, 2) GROUPS(37) W("v") B("b")) TAIL,
      "w:1x1x3x37 v:3x3x1x37 b:37 fc:4x37 fcb:4", 4, 15, 29, 60, NULL}},
    {"depthwise 5x5 s1 and s2",
     {CONV("a", "input", W("w")) ","
      CONV("d", "a", SAME GROUPS(16) W("v") B("b")) ","
      OP1("r", "relu", "d") ","
      CONV("x", "r", SAME STRIDE(2, 2) GROUPS(16) W("v")) TAIL,
      "w:1x1x3x16 v:5x5x1x16 b:16 fc:4x16 fcb:4", 4, 7, 31, 48, NULL}},
    {"depthwise, then a sum",
     {CONV("a", "input", W("w")) ","
      CONV("d", "a", SAME GROUPS(16) W("v")) ","
      OP2("x", "add", "a", "d") TAIL,
      "w:1x1x3x16 v:3x3x1x16 fc:4x16 fcb:4", 4, 7, 9, 16, NULL}},
    {"depthwise 7x3, valid, s3 by 1",
     {CONV("a", "input", W("w")) ","
      CONV("x", "a", VALID STRIDE(3, 1) GROUPS(9) W("v")) TAIL,
      "w:1x1x3x9 v:7x3x1x9 fc:4x9 fcb:4", 4, 15, 13, 24, NULL}},
    {"depthwise of the picture",
     {CONV("x", "input", SAME GROUPS(3) W("v")) TAIL,
      "v:3x3x1x3 fc:4x3 fcb:4", 4, 5, 6, 8, NULL}},
    {"3x3 in two groups",
     {CONV("a", "input", PADS(1, 1, 1, 1) W("w") B("b")) ","
      OP1("r", "relu", "a") ","
      CONV("x", "r", PADS(1, 1, 1, 1) GROUPS(2) W("v") B("c")) TAIL,
      "w:3x3x3x32 b:32 v:3x3x16x64 c:64 fc:6x64 fcb:6", 6, 14, 15, 28, NULL}},
    {"3x3 in five narrow groups",
     {CONV("a", "input", W("w")) ","
      CONV("x", "a", PADS(1, 0, 1, 2) GROUPS(5) W("v") B("b")) TAIL,
      "w:1x1x3x10 v:3x3x2x15 b:15 fc:6x15 fcb:6", 6, 9, 8, 16, NULL}},
    {"3x3 in 13 groups of 8, which are no whole number of vectors",
     {CONV("a", "input", W("w")) ","
      CONV("x", "a", SAME GROUPS(13) W("v") B("b")) TAIL,
      "w:1x1x3x104 v:3x3x8x104 b:104 fc:6x104 fcb:6", 6, 9, 8, 16, NULL}},
    {"1x1 and 3x3, strided, in 7 groups of 4 and 8",
     {CONV("a", "input", W("w")) ","
      CONV("c", "a", GROUPS(7) W("u") B("b")) ","
      CONV("x", "c", SAME STRIDE(2, 2) GROUPS(7) W("v")) TAIL,
      "w:1x1x3x28 u:1x1x4x56 b:56 v:3x3x8x28 fc:6x28 fcb:6", 6, 9, 8, 16, NULL}},
    {"3x3 in 8 groups of 3",
     {CONV("a", "input", W("w")) ","
      CONV("x", "a", SAME GROUPS(8) W("v")) TAIL,
      "w:1x1x3x24 v:3x3x3x24 fc:6x24 fcb:6", 6, 9, 8, 16, NULL}},
    {"3x3 in 24 groups of 1 to 3, 1x1 in 72 of 1 to 15, in 17 of 3",
     {CONV("a", "input", W("w")) ","
      CONV("c", "a", SAME GROUPS(24) W("u") B("b")) ","
      OP1("r", "relu", "c") ","
      CONV("d", "r", GROUPS(72) W("y")) ","
      CONV("e", "d", W("z")) ","
      CONV("f", "e", GROUPS(17) W("v")) ","
      OP1("x", "relu", "f") TAIL,
      "w:1x1x3x24 u:3x3x1x72 b:72 y:1x1x1x1080 z:1x1x1080x51 v:1x1x3x51 "
      "fc:6x51 fcb:6", 6, 9, 8, 16, NULL}},
    {"3x3 chain of VGG's kind",
     {CONV("a", "input", SAME W("w") B("b")) ","
      OP1("r", "relu", "a") ","
      CONV("c", "r", SAME W("v") B("b")) ","
      OP1("s", "relu", "c") ","
      POOL("p", "max_pool", "s", KERNEL(2, 2) STRIDE(2, 2)) ","
      CONV("x", "p", SAME W("u")) TAIL,
      "w:3x3x3x40 b:40 v:3x3x40x40 u:3x3x40x72 fc:6x72 fcb:6", 6, 22, 27, 40, NULL}},
    {"3x3 that feeds a pool and a convolution",
     {CONV("a", "input", SAME W("w") B("b")) ","
      CONV("c", "a", SAME W("v") B("b")) ","
      POOL("p", "max_pool", "c", KERNEL(2, 2) STRIDE(2, 2)) ","
      CONV("d", "c", STRIDE(2, 2) W("u")) ","
      OP2("x", "add", "p", "d") TAIL,
      "w:3x3x3x40 b:40 v:3x3x40x40 u:2x2x40x40 fc:6x40 fcb:6", 6, 22, 27, 40, NULL}},
    {"3x3 whose activation feeds two pools",
     {CONV("a", "input", SAME W("w") B("b")) ","
      CONV("c", "a", SAME W("v") B("b")) ","
      OP1("s", "relu", "c") ","
      POOL("p", "max_pool", "s", KERNEL(2, 2) STRIDE(2, 2)) ","
      POOL("q", "avg_pool", "s", KERNEL(2, 2) STRIDE(2, 2)) ","
      OP2("x", "add", "p", "q") TAIL,
      "w:3x3x3x40 b:40 v:3x3x40x40 fc:6x40 fcb:6", 6, 22, 27, 40, NULL}},
    {"3x3 in tiles of 6x6: a sum, a pool",
     {CONV("a", "input", W("w")) ","
      CONV("c", "a", PADS(1, 0, 1, 2) W("v") B("b")) ","
      OP2("s", "add", "c", "a") ","
      OP1("r", "relu", "s") ","
      CONV("d", "r", SAME W("u")) ","
      OP1("t", "relu6", "d") ","
      POOL("x", "max_pool", "t", KERNEL(2, 2) STRIDE(2, 2)) TAIL,
      "w:1x1x3x18 v:3x3x18x18 b:18 u:3x3x18x20 fc:6x20 fcb:6", 6, 31, 37, 60, NULL}},
    {"pools with borders, strides and odd kernels",
     {CONV("a", "input", W("w")) ","
      POOL("p", "max_pool", "a", KERNEL(3, 2) STRIDE(2, 1) PADS(1, 0, 2, 1)) ","
      POOL("x", "avg_pool", "p", KERNEL(2, 3) STRIDE(1, 2) SAME) TAIL,
      "w:1x1x3x18 fc:4x18 fcb:4", 4, 11, 12, 20, NULL}},
    {"concat of odd widths",
     {CONV("a", "input", W("w")) ","
      CONV("b", "input", W("v")) ","
      NODE("k", "concat", "\"a\",\"input\",\"b\",\"a\"", "") ","
      OP1("r", "relu", "k") ","
      CONV("x", "r", W("u")) TAIL,
      "w:1x1x3x5 v:1x1x3x18 u:1x1x31x6 fc:4x6 fcb:4", 4, 5, 7, 8, NULL}},
    {"5x5 strided, valid",
     {CONV("x", "input", STRIDE(2, 3) W("w") B("b")) TAIL,
      "w:5x5x3x33 b:33 fc:4x33 fcb:4", 4, 19, 31, 48, NULL}},
    {"picture pooled first",
     {POOL("p", "avg_pool", "input", KERNEL(2, 2) STRIDE(2, 2)) ","
      CONV("x", "p", W("w")) TAIL,
      "w:1x1x3x8 fc:4x8 fcb:4", 4, 10, 12, 16, NULL}},
    {"block with residual, 3x3",
     {CONV("a", "input", SAME W("w")) ","
      CONV("e", "a", W("u") B("b")) ","
      OP1("r", "relu6", "e") ","
      CONV("d", "r", SAME GROUPS(51) W("v") B("b")) ","
      OP1("s", "relu6", "d") ","
      CONV("p", "s", W("t")) ","
      OP2("x", "add", "p", "a") TAIL,
      "w:3x3x3x17 u:1x1x17x51 b:51 v:3x3x1x51 t:1x1x51x17 fc:4x17 fcb:4", 4, 53, 55, 80, NULL}},
    {"block of stride 2, 5x5, lopsided",
     {CONV("a", "input", SAME W("w")) ","
      CONV("e", "a", W("u") B("b")) ","
      OP1("r", "relu6", "e") ","
      CONV("d", "r", PADS(4, 1, 0, 3) STRIDE(2, 2) GROUPS(51) W("v") B("b")) ","
      OP1("s", "relu", "d") ","
      CONV("x", "s", W("t")) TAIL,
      "w:3x3x3x17 u:1x1x17x51 b:51 v:5x5x1x51 t:1x1x51x40 fc:4x40 fcb:4", 4, 53, 55, 80, NULL}},
    {"block without expansion, stride 3 over kernel 2",
     {CONV("a", "input", SAME W("w")) ","
      CONV("d", "a", STRIDE(3, 3) GROUPS(48) W("v")) ","
      CONV("x", "d", W("t")) TAIL,
      "w:3x3x3x48 v:2x2x1x48 t:1x1x48x9 fc:4x9 fcb:4", 4, 53, 55, 80, NULL}},
    {"block without projection, that squeeze and excite follows",
     {CONV("a", "input", SAME W("w")) ","
      CONV("e", "a", W("u") B("b")) ","
      OP1("r", "silu", "e") ","
      CONV("d", "r", SAME STRIDE(1, 2) GROUPS(67) W("v") B("b")) ","
      OP1("s", "hard_swish", "d") ","
      OP1("g", "gap", "s") ","
      OP1("q", "sigmoid", "g") ","
      OP2("m", "mul", "s", "q") ","
      ACTIVATION("n", "clip", "m", ",\"most\":0.5") ","
      CONV("p", "n", W("t") B("c")) ","
      CONV("k", "a", STRIDE(1, 2) W("z")) ","
      OP2("x", "add", "p", "k") TAIL,
      "w:3x3x3x17 u:1x1x17x67 b:67 v:5x5x1x67 t:1x1x67x17 c:17 z:1x1x17x17 fc:4x17 fcb:4",
      4, 53, 55, 80, NULL}},
    {"linear end: 3x3 in two groups",
     {CONV("a", "input", SAME W("w") B("b")) ","
      OP1("r", "relu", "a") ","
      CONV("x", "r", SAME GROUPS(2) W("v") B("c")) LINEAR_TAIL,
      "w:3x3x3x34 b:34 v:3x3x17x300 c:300 fc:6x300 fcb:6", 6, 14, 15, 28, NULL}},
    {"linear end: 1x1",
     {CONV("a", "input", SAME W("w")) ","
      OP1("r", "relu6", "a") ","
      CONV("x", "r", W("v")) LINEAR_TAIL,
      "w:3x3x3x9 v:1x1x9x21 fc:6x21 fcb:6", 6, 5, 6, 8, NULL}},
    {"linear end: depthwise 5x3, lopsided padding",
     {CONV("a", "input", W("w")) ","
      OP1("r", "relu", "a") ","
      CONV("x", "r", PADS(4, 0, 1, 2) GROUPS(18) W("v") B("b")) LINEAR_TAIL,
      "w:1x1x3x18 v:5x3x1x18 b:18 fc:6x18 fcb:6", 6, 7, 9, 16, NULL}},
    {"linear end that is strided, and so is not",
     {CONV("a", "input", W("w")) ","
      CONV("x", "a", STRIDE(2, 1) W("v")) LINEAR_TAIL,
      "w:1x1x3x18 v:3x3x18x20 fc:6x20 fcb:6", 6, 7, 9, 16, NULL}},
    {"gap of the last plane",
     {CONV("a", "input", SAME W("w")) ","
      CONV("c", "a", W("v") B("b")) ","
      OP1("y", "relu", "c") ","
      OP1("gap", "gap", "y"),
      "w:3x3x3x18 v:1x1x18x6 b:6", 6, 7, 9, 16, NULL}},
    {"activations behind 1x1, 3x3 and depthwise",
     {CONV("a", "input", SAME W("w") B("b")) ","
      OP1("r", "silu", "a") ","
      CONV("c", "r", SAME W("v") B("b")) ","
      OP1("s", "hard_swish", "c") ","
      CONV("d", "s", SAME GROUPS(19) W("u") B("b")) ","
      OP1("t", "gelu", "d") ","
      CONV("e", "t", VALID STRIDE(1, 2) GROUPS(19) W("z")) ","
      OP1("x", "sigmoid", "e") TAIL,
      "w:1x1x3x19*9 b:19 v:3x3x19x19*3 u:5x5x1x19*3 z:3x2x1x19*3 fc:6x19 fcb:6", 6, 13, 11, 20,
      NULL}},
    {"a sum, then an activation, in 3x3 and 1x1",
     {CONV("a", "input", SAME W("w") B("b")) ","
      CONV("c", "a", SAME W("v") B("b")) ","
      OP2("s", "add", "c", "a") ","
      OP1("t", "silu", "s") ","
      CONV("d", "t", W("u")) ","
      OP2("q", "add", "t", "d") ","
      ACTIVATION("x", "hard_sigmoid", "q", ",\"slope\":0.2,\"offset\":0.4") TAIL,
      "w:1x1x3x33 b:33 v:3x3x33x33 u:1x1x33x33 fc:6x33 fcb:6", 6, 14, 9, 20, NULL}},
    {"activations of pooled planes",
     {POOL("a", "max_pool", "input", KERNEL(2, 1)) ","
      OP1("c", "silu", "a") ","
      OP1("d", "hard_swish", "a") ","
      OP1("e", "gelu", "a") ","
      OP1("f", "sigmoid", "a") ","
      ACTIVATION("g", "hard_sigmoid", "a", ",\"slope\":0.3,\"offset\":0.6") ","
      ACTIVATION("h", "clip", "a", ",\"least\":-0.3,\"most\":0.25") ","
      ACTIVATION("i", "clip", "a", ",\"most\":0.1") ","
      ACTIVATION("j", "clip", "a", ",\"least\":-0.1") ","
      NODE("x", "concat", "\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\",\"j\"", "") TAIL,
      "fc:6x24 fcb:6", 6, 5, 9, 20, NULL}},
    {"clips behind convolutions, one then pooled",
     {CONV("a", "input", SAME W("w") B("b")) ","
      ACTIVATION("r", "clip", "a", ",\"most\":0.4") ","
      CONV("c", "r", SAME W("v") B("b")) ","
      ACTIVATION("s", "clip", "c", ",\"least\":-0.2,\"most\":0.3") ","
      POOL("x", "max_pool", "s", KERNEL(2, 2) STRIDE(2, 2)) TAIL,
      "w:1x1x3x19 b:19 v:3x3x19x19 fc:6x19 fcb:6", 6, 14, 9, 20, NULL}},
    {"3x3 with SiLU, then a pool",
     {CONV("a", "input", SAME W("w") B("b")) ","
      CONV("c", "a", SAME W("v") B("b")) ","
      OP1("s", "silu", "c") ","
      POOL("x", "max_pool", "s", KERNEL(2, 2) STRIDE(2, 2)) TAIL,
      "w:1x1x3x19 b:19 v:3x3x19x19*5 fc:6x19 fcb:6", 6, 14, 9, 20, NULL}},
    {"squeeze and excite",
     {CONV("a", "input", SAME W("w") B("b")) ","
      OP1("r", "silu", "a") ","
      OP1("g", "gap", "r") ","
      CONV("s", "g", W("v") B("c")) ","
      OP1("t", "silu", "s") ","
      CONV("e", "t", W("u") B("b")) ","
      OP1("q", "sigmoid", "e") ","
      OP2("m", "mul", "r", "q") ","
      CONV("x", "m", W("z")) TAIL,
      "w:3x3x3x35 b:35 v:1x1x35x5 c:5 u:1x1x5x35 z:1x1x35x20 fc:6x20 fcb:6", 6, 13, 9, 20, NULL}},
    {"squeeze and excite that two read, and a 3x3 on it",
     {CONV("r", "input", SAME W("w") B("b")) ","
      OP1("h", "gap", "r") ","
      ACTIVATION("q", "hard_sigmoid", "h", ",\"slope\":0.2,\"offset\":0.5") ","
      OP2("m", "mul", "r", "q") ","
      CONV("c", "m", SAME W("v")) ","
      CONV("d", "m", W("u")) ","
      OP2("n", "mul", "c", "q") ","
      CONV("e", "n", STRIDE(2, 2) W("u")) ","
      OP2("p", "mul", "d", "q") ","
      CONV("f", "p", STRIDE(2, 2) GROUPS(35) W("z")) ","
      OP2("x", "add", "e", "f") TAIL,
      "w:3x3x3x35 b:35 v:3x3x35x35 u:1x1x35x35 z:1x1x1x35 fc:6x35 fcb:6", 6, 13, 9, 20, NULL}},
    {"products of planes, and a plane of one cell with itself",
     {CONV("a", "input", W("w") B("b")) ","
      CONV("c", "input", W("v")) ","
      OP2("m", "mul", "a", "c") ","
      OP1("r", "relu", "m") ","
      OP1("g", "gap", "r") ","
      OP2("h", "mul", "g", "g") ","
      OP2("n", "mul", "r", "h") ","
      OP2("x", "mul", "n", "n") TAIL,
      "w:1x1x3x21 b:21 v:1x1x3x21 fc:6x21 fcb:6", 6, 13, 9, 20, NULL}},
    {"affines: of the picture, of a concat, before and behind an activation",
     {NODE("p", "affine", "\"input\"", SCALE("s", "t")) ","
      CONV("a", "p", W("w")) ","
      NODE("k", "concat", "\"a\",\"p\"", "") ","
      NODE("n", "affine", "\"k\"", SCALE("u", "v")) ","
      OP1("r", "relu", "n") ","
      NODE("l", "affine", "\"r\"", SCALE("u", "v")) ","
      CONV("x", "l", W("z")) TAIL,
      "s:3 t:3 w:1x1x3x18 u:21 v:21 z:1x1x21x8 fc:6x8 fcb:6", 6, 13, 9, 20, NULL}},
    {"layer norms of widths that are and are not a vector's",
     {CONV("a", "input", W("w")) ","
      NODE("n", "layer_norm", "\"a\"", SCALE("s", "t") ",\"epsilon\":1e-6") ","
      CONV("c", "n", W("v")) ","
      NODE("x", "layer_norm", "\"c\"", SCALE("u", "z") ",\"epsilon\":0.1") TAIL,
      "w:1x1x3x37 s:37 t:37 v:1x1x37x32 u:32 z:32 fc:6x32 fcb:6", 6, 7, 9, 20, NULL}},
    {"slices, a shuffle, joined again",
     {CONV("a", "input", W("w") B("b")) ","
      NODE("s", "slice", "\"a\"", ",\"channels\":[0,13]") ","
      NODE("t", "slice", "\"a\"", ",\"channels\":[13,26]") ","
      CONV("c", "t", W("v")) ","
      CONV("d", "c", SAME GROUPS(13) W("u")) ","
      NODE("k", "concat", "\"s\",\"d\"", "") ","
      NODE("f", "shuffle", "\"k\"", GROUPS(2)) ","
      NODE("i", "slice", "\"f\"", ",\"channels\":[7,24]") ","
      CONV("x", "i", W("z")) TAIL,
      "w:1x1x3x26 b:26 v:1x1x13x13 u:3x3x1x13 z:1x1x17x6 fc:6x6 fcb:6", 6, 7, 9, 20, NULL}},
    {"shuffle in three groups, slice of the picture",
     {NODE("p", "slice", "\"input\"", ",\"channels\":[1,3]") ","
      CONV("a", "p", W("w") B("b")) ","
      NODE("x", "shuffle", "\"a\"", GROUPS(3)) TAIL,
      "w:1x1x2x21 b:21 fc:6x21 fcb:6", 6, 7, 9, 20, NULL}},
    {"nearest resize by 3 and 2, joined with a larger plane",
     {CONV("a", "input", SAME W("w")) ","
      POOL("p", "max_pool", "input", KERNEL(3, 2) STRIDE(3, 2)) ","
      CONV("c", "p", W("w")) ","
      NODE("r", "resize", "\"c\"", ",\"factor\":[3,2]") ","
      OP2("s", "add", "a", "r") ","
      OP1("x", "relu", "s") TAIL,
      "w:1x1x3x19 fc:6x19 fcb:6", 6, 12, 12, 12, NULL}},
    {"pools whose last window sticks out, and padding that counts",
     {CONV("a", "input", W("w")) ","
      POOL("p", "max_pool", "a", KERNEL(3, 3) STRIDE(2, 2) ",\"ceil_mode\":true") ","
      POOL("q", "avg_pool", "a", KERNEL(3, 2) STRIDE(2, 2) PADS(1, 1, 1, 0)
           ",\"ceil_mode\":true,\"count_include_pad\":true") ","
      POOL("r", "avg_pool", "p", KERNEL(3, 2) SAME ",\"count_include_pad\":true") ","
      POOL("s", "avg_pool", "q", KERNEL(2, 4) STRIDE(3, 3) PADS(1, 2, 0, 3)
           ",\"ceil_mode\":true") ","
      POOL("t", "max_pool", "r", KERNEL(1, 2) STRIDE(3, 3) ",\"ceil_mode\":true") ","
      POOL("u", "avg_pool", "r", KERNEL(2, 2) STRIDE(2, 2) ",\"ceil_mode\":true") ","
      OP1("g", "gap", "s") ","
      OP1("h", "gap", "t") ","
      OP2("i", "add", "g", "h") ","
      OP2("x", "mul", "u", "i") TAIL,
      "w:1x1x3x18 fc:4x18 fcb:4", 4, 11, 14, 22, NULL}},
    {"64 planes in one",
     {CONV("a", "input", W("w")) ","
      OP1("r", "relu", "a") ","
#define FOUR "\"a\",\"r\",\"a\",\"r\""
#define SIXTEEN FOUR "," FOUR "," FOUR "," FOUR
      NODE("x", "concat", SIXTEEN "," SIXTEEN "," SIXTEEN "," SIXTEEN, "") TAIL,
      "w:1x1x3x5 fc:4x320 fcb:4", 4, 5, 6, 8, NULL}},
    {"linear end on the picture, and so is not",
     {CONV("x", "input", W("w")) LINEAR_TAIL,
      "w:3x3x3x18 fc:6x18 fcb:6", 6, 7, 9, 16, NULL}},
};
enum { CASES = sizeof cases / sizeof *cases };
/* clang-format on */

#endif
