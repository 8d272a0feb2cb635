/* made_training.h - networks for the tests of training: the words that their nodes are written in,
 * and one that is loaded, with what moves of it in double. */
#ifndef MADE_TRAINING_H
#define MADE_TRAINING_H
#include "made_model.h"
#include "network/parameters.h"

#define NODE(name, op, inputs, rest) \
  "{\"name\":\"" name "\",\"op\":\"" op "\",\"inputs\":[" inputs "]" rest "}"
#define CONV(name, input, rest) NODE(name, "conv", "\"" input "\"", rest)
#define OP1(name, op, input, rest) NODE(name, op, "\"" input "\"", rest)
#define OP2(name, op, a, b) NODE(name, op, "\"" a "\",\"" b "\"", "")
#define W(tensor) ",\"weight\":\"" tensor "\""
#define B(tensor) ",\"bias\":\"" tensor "\""
#define SCALE(scale, shift) ",\"scale\":\"" scale "\",\"shift\":\"" shift "\""
#define SAME ",\"padding\":\"same\""
/* The end of most: of x, a plane. */
#define FC "," OP1("gap", "gap", "x", "") "," OP1("fc", "fc", "gap", W("fc") B("fcb"))

typedef struct made_training {
  cam_graph *graph;
  parameters set;            /* of all of it */
  double *values, *gradient; /* [set.count]; as in the file; zeros */
} made_training;

/* Fails the test if it cannot. */
void made_training_load(const made_model *model, made_training *out);
void made_training_drop(made_training *made);
/* n values of sample s, from -1 to 1; those of each sample differ. */
void made_picture(int s, int n, float *out);
/* Fails the test where an operator is in none of the models, the i-th of which model(i) is: whoever
 * adds one is reminded to test it. */
void expect_every_operator(const made_model *(*model)(int i), int n);

#endif
