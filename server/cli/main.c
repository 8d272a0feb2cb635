/* main.c - the table of commands, and the one place that ends the process. `camserve --help` is
 * generated from here. */
#include "base/version.h"
#include "cli.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The settings that each kind of work uses. */
#define MODEL_SETTINGS " model isa "
#define PHOTO_SETTINGS \
  MODEL_SETTINGS "threads max_body_bytes max_pixels max_side decode_bytes max_scans decode_ms "

/* The first is meant where none is named. */
static const cli_command commands[] = {
    {.name = "serve",
     .operands = "",
     .settings = "*",
     .lists = true,
     .run = cli_serve,
     .summary = "answer POST /cam and show the demo page over HTTP (the default command, but on a "
                "terminal without any argument)",
     .more = "SIGTERM or SIGINT ends it, after the requests that have arrived are answered; a "
             "second one at once.\n"
             "SIGHUP reads the models and the keys again, while requests go on; a bad file changes "
             "nothing.\n",
     .synonyms = {{"--model_name", "model_name", "NAME", "as --model-name"},
                  {"--http_port", "port", "N", "as --port"},
                  {"--predictor_host", NULL, "HOST", "taken, and passed over: there is no other"},
                  {"--workers", NULL, "N", "taken, and passed over: --teams says how many"}},
     .examples = "  camserve --port 8080\n"
                 "  CAMSERVE_HOST=0.0.0.0 CAMSERVE_QUEUE=128 camserve serve --log json\n"
                 "  camserve --model cats.safetensors --model dogs.safetensors\n"},

    {.name = "health",
     .operands = "",
     .settings = " host port admin_host admin_port tls_cert ",
     .run = cli_health,
     .summary = "ask a running server whether it is ready; for containers",
     .more = "Asks /readyz of the server that the same settings describe. Exit code 0 if it is "
             "ready, else 1.\n",
     .examples = "  camserve health --port 8080\n"},

    {.name = "explain",
     .operands = "PHOTO|FOLDER...",
     .most = INT_MAX,
     .settings = PHOTO_SETTINGS,
     .params = true,
     .run = cli_explain,
     .summary = "labels of photos in files, folders and lists, and overlays of where they are",
     .options =
         {{"--json", NULL, NULL,
           "print what POST /cam answers; several photos: {\"results\": [{\"file\": ...}]}"},
          {"--output", "-o", "FILE",
           "write the overlay here (one photo; PNG or JPEG as the name ends; - is standard "
           "output); with --jsonl the lines"},
          {"--jsonl", NULL, NULL,
           "print a line of JSON for each photo, {\"file\": ...}, as soon as it is explained; "
           "without pictures unless --include asks for them"},
          {"--paths-from", NULL, "FILE",
           "explain those in this list, too, a path a line (- is standard input)"},
          {"--null", "-0", NULL, "the list has a NUL behind each path, as find -print0 writes it"},
          {"--resume", NULL, NULL,
           "go on with the lines in --output FILE: what is there is skipped, half a line cut off"},
          {"--keep-going", NULL, NULL, "exit code 0 also when photos fail, each of which is said"},
          {"--output-dir", NULL, "DIR",
           "write the pictures below DIR, in the same tree; JSON is then without them"},
          {"--show-input", NULL, "FILE",
           "write here, as NAME.png, what the network sees (one photo), and print its numbers: "
           "wrong pixels show"},
          {"--html", NULL, "FILE",
           "write one page of all photos with their labels and maps, which a browser alone opens; "
           "no other output"}},
     .more =
         "PHOTO is a JPEG, PNG, WebP or BMP file, or - for standard input. Of a FOLDER all that is "
         "called so (.jpg, .png ...)\nis explained, in the order of the paths, but not what begins "
         "with a point and not camserve's own *.cam.png.\n\n"
         "Prints a table and writes the overlay of the first label beside each photo, as "
         "NAME.cam.png (stdin.cam.png for -; .jpg\nwith --format jpeg; a heat map is "
         "NAME.cam.heat.png; cat.jpg.cam.png where there is a cat.png, too). With --json and "
         "--jsonl\nno picture is written unless -o or --output-dir asks for it.\n\n"
         "With --html the page is there once all photos are in it, and not at all if a signal ends "
         "it before.\n\n"
         "A photo that fails is said, with --json and --jsonl as {\"file\": ..., \"error\": ...}; "
         "the others go on, and the exit code\nis 1. SIGINT, SIGTERM and SIGHUP end it after the "
         "photos that are begun, with 130, 143 and 129.\n",
     .examples =
         "  camserve explain cat.jpg\n"
         "  camserve explain --top-k 5 --colormap viridis --json photos/*.jpg > answers.json\n"
         "  camserve explain photos --jsonl -o photos.jsonl --resume --keep-going\n"
         "  camserve explain photos --html gallery.html --keep-going\n"
         "  camserve explain - -o - < cat.jpg > where.png\n"},

    {.name = "evaluate",
     .operands = "MODEL DATA",
     .least = 2,
     .most = 2,
     .settings =
         " isa threads max_body_bytes max_pixels max_side decode_bytes max_scans decode_ms ",
     .run = cli_evaluate,
     .summary = "how good a model is on photos whose classes are known, and what it takes for what",
     .options =
         {{"--report", NULL, "DIR",
           "write a page with each wrong photo and its maps, the figures as JSON, and a line "
           "for each photo as CSV"},
          {"--force", NULL, NULL, "replace the report that DIR is"},
          {"--json", NULL, NULL, "print the figures as JSON"},
          {"--resize", NULL, "stretch|aspect",
           "how photos become the network's input (the model's own)"}},
     .more =
         "DATA is a folder with a folder for each class, a folder with train/ and val/ that have "
         "those (val/ is looked at),\nor a CSV file whose first line is path,class. A class is "
         "called by its label, WordNet id or index.\n\n"
         "The report is DIR/index.html, which a browser alone opens, without a network; "
         "DIR/report.json; DIR/predictions.csv.\nIt is there once all of it is. A photo that "
         "cannot be read is said and skipped.\n",
     .examples =
         "  camserve evaluate models/efficientnet-lite0.safetensors photos --report report\n"
         "  camserve evaluate trash.safetensors trash/val --json > figures.json\n"},

    {.name = "convert",
     .operands = "NET.onnx|WEIGHTS|MODEL",
     .least = 1,
     .most = 2,
     .settings = " threads ",
     .run = cli_convert,
     .summary = "a trained network (ONNX), or weights and an architecture, into a model file",
     .options =
         {{"--output", "-o", "FILE", "the model file to write: NAME.safetensors"},
          {"--arch", NULL, "FILE", "weights alone: the architecture, config/models/NAME.json"},
          {"--int8", NULL, NULL,
           "weights and planes of 8 bits, also of a MODEL that is there: from a third to a half of "
           "the time"},
          {"--calibrate", NULL, "FOLDER",
           "int8: some 20 photos or more like those to come, which show what values to expect"},
          {"--ranges", NULL, "FILE", "int8: what --calibrate found before, NAME.ranges.json"},
          {"--input", NULL, "HxW", "ONNX: height and width of the picture, 224x224"},
          {"--pixels", NULL, "NAME",
           "ONNX: what it was trained on: imagenet (the default), unit, signed, caffe or raw"},
          {"--channels", NULL, "RGB|BGR",
           "the order of channels (turns a preset's numbers); by hand:"},
          {"--mean", NULL, "a,b,c", "what is subtracted from pixels of 0 to 255,"},
          {"--scale", NULL, "a,b,c", "what the difference is multiplied by"},
          {"--labels", NULL, "FILE",
           "ONNX: a label a line, WordNet id TAB label a line, or JSON (1,000 classes: "
           "ImageNet's)"},
          {"--name", NULL, "NAME", "ONNX: of the model (default: that of -o, without its ending)"},
          {"--resize", NULL, "stretch|aspect", "ONNX: how photos reach it (stretch)"},
          {"--compare", NULL, "IN.npy OUT.npy",
           "ONNX: what your own framework answered; refused if this differs"},
          {"--new", NULL, "LAYER,...",
           "with --arch: layers that the weights lack, drawn (He normal), to be trained"},
          {"--seed", NULL, "N", "of what is drawn (1)"}},
     .more =
         "NET.onnx is a classifier of photos as PyTorch, TensorFlow or Paddle export it; weights "
         "in NET.onnx.data beside\nit are found. WEIGHTS is a PyTorch state dict (.pth, old or new "
         "format) or a .npy file with a pickled dict of\n"
         "arrays (vgg16CAM.npy), both read as plain data of which nothing is run, or model.json of "
         "TensorFlow.js with the\nfiles of its weights beside it.\n",
     .examples = "  camserve convert resnet50.onnx -o models/resnet50.safetensors\n"
                 "  camserve convert nsfw.onnx --channels BGR --mean 104,117,123 --scale 1,1,1 "
                 "--labels nsfw.txt -o nsfw.safetensors\n"
                 "  camserve convert lite0.pth --arch config/models/efficientnet-lite0.json -o "
                 "lite0.safetensors\n"
                 "  camserve convert lite0.safetensors --int8 --calibrate photos -o "
                 "lite0-int8.safetensors\n"},

    {.name = "finetune",
     .operands = "DATA",
     .least = 1,
     .most = 1,
     .settings =
         " model threads max_body_bytes max_pixels max_side decode_bytes max_scans decode_ms ",
     .run = cli_finetune,
     .summary = "a model of your own classes, from a folder of photos",
     .options =
         {{"--output", "-o", "FILE", "the model file to write: NAME.safetensors"},
          {"--stage", NULL, "head|last|all",
           "what is trained: the last layer (the default), the last stage, everything"},
          {"--keep-classes", NULL, NULL,
           "the model's own classes: a class is an index, WordNet id or label of it"},
          {"--val", NULL, "0.2|DIR|0",
           "the share of photos of each class to validate with (0.2), or where others are, or "
           "none"},
          {"--epochs", NULL, "N", "how often all photos are gone through (6)"},
          {"--batch", NULL, "N", "photos of a step (16)"},
          {"--lr", NULL, "X", "learning rate (last 0.005, all 0.001)"},
          {"--momentum", NULL, "X", "0 is plain SGD (0.9)"},
          {"--schedule", NULL, "constant|cosine", "how the rate goes on (cosine)"},
          {"--weight-decay", NULL, "X",
           "half of it times the sum of all squared weights is part of the loss (head 0.01; last, "
           "all 0.0005)"},
          {"--keep-prob", NULL, "X", "less than 1: dropout before the last layer (1)"},
          {"--augment", NULL, "none|flip", "flip: mirrored photos, too (none)"},
          {"--balance", NULL, NULL, "classes count alike, however many photos they have"},
          {"--patience", NULL, "N", "ends after N epochs that are no better; 0: never (3)"},
          {"--time", NULL, "10m", "ends after that time, with the best so far"},
          {"--seed", NULL, "N", "of the order of photos, of mirroring and dropout (1)"},
          {"--resize", NULL, "stretch|aspect",
           "how photos become the network's input, then and later (stretch)"},
          {"--memory", NULL, "1GiB",
           "what may be kept of photos between epochs; the rest is computed again (1GiB)"},
          {"--resume", NULL, NULL, "go on from FILE.checkpoint, which an interrupted run left"},
          {"--report", NULL, "DIR", "where the report goes (FILE.report)"},
          {"--dry-run", NULL, NULL, "say what is found and how long it takes, and end"},
          {"--json", NULL, NULL, "a line of JSON an epoch on standard output"},
          {"--force", NULL, NULL, "replace FILE, if it is there"}},
     .more =
         "DATA is a folder with a folder of photos for each class, a folder with train/ and val/ "
         "that have those, or a CSV file\nwhose first line is path,class, with paths from its own "
         "folder. A photo that cannot be read is named and left out.\n\n"
         "head takes seconds; last and all can be better where there are many photos, or photos "
         "unlike those that the model was\ntrained on, and are kept only if they are, on the "
         "validation photos. SIGINT, SIGTERM and SIGHUP end it with the best so\nfar. The same "
         "photos and options give the same file, byte for byte.\n",
     .examples = "  camserve finetune photos -o mine.safetensors\n"
                 "  camserve finetune photos --dry-run\n"
                 "  camserve finetune parts.csv --stage all --augment flip --time 30m -o "
                 "parts.safetensors\n"
                 "  camserve --model mine.safetensors\n"},

    {.name = "info",
     .operands = "[MODEL]",
     .most = 1,
     .settings = MODEL_SETTINGS,
     .run = cli_info,
     .summary = "what a model file holds: graph, tensors, multiply-adds, memory",
     .options = {{"--json", NULL, NULL, "print JSON: name, input, classes, multiply-adds, sizes"}},
     .examples = "  camserve info\n"
                 "  camserve info --json models/vgg16-cam.safetensors\n"},

    {.name = "bench",
     .operands = "",
     .settings = PHOTO_SETTINGS,
     .run = cli_bench,
     .summary = "milliseconds of the forward pass and of the whole pipeline: min, p50, p99",
     .options = {{"--batch", NULL, "N", "photos at a time, 1 to 8 (default 1)"},
                 {"--runs", NULL, "N", "how often to measure, 1 to 100000 (default 50)"},
                 {"--photo", NULL, "FILE",
                  "a photo of yours (default: a 500x436 BMP made in memory)"},
                 {"--layers", NULL, NULL,
                  "each layer instead: time, GFLOP/s, bytes, and what bounds it on this host"},
                 {"--check", NULL, NULL, "compare the logits with the slow float64 reference"},
                 {"--json", NULL, NULL, "print JSON"}},
     .examples = "  camserve bench --threads 1 --runs 200\n"
                 "  camserve bench --layers --model models/vgg16-cam.safetensors\n"
                 "  camserve bench --isa portable --batch 4 --json\n"},

    {.name = "help",
     .operands = "[COMMAND]",
     .most = 1,
     .settings = "",
     .run = cli_help,
     .summary = "this text, or the help of a command",
     .options = {{"--markdown", NULL, NULL, "all settings, as they stand in docs/settings.md"},
                 {"--parameters", NULL, NULL,
                  "the table of the parameters of POST /cam, as it stands in README.md"},
                 {"--ini", NULL, NULL,
                  "a commented configuration file, as it stands in config/camserve.ini"},
                 {"--man-ini", NULL, NULL, "the manual page camserve.ini(5)"},
                 {"--man", NULL, NULL, "the manual page camserve(1)"},
                 {"--bash", NULL, NULL, "what completes a command line: for bash"},
                 {"--zsh", NULL, NULL, "for zsh"},
                 {"--fish", NULL, NULL, "for fish"}},
     .examples = "  camserve help explain\n"
                 "  camserve help --ini > camserve.ini\n"},
    {.name = NULL},
};

/* --version alone or behind a command. */
static bool asks_for_version(int argc, char **argv) {
  return (argc == 2 || (argc == 3 && cli_find(commands, argv[1]))) &&
         (!strcmp(argv[argc - 1], "--version") || !strcmp(argv[argc - 1], "-V"));
}

static int run(int argc, char **argv) {
  if (asks_for_version(argc, argv)) {
    printf("camserve %s (%s)\n", cam_version, cam_commit);
    return EXIT_DONE;
  }
  if (argc == 1 && isatty(STDOUT_FILENO)) {
    help_first(stdout);
    return EXIT_DONE;
  }
  cli arguments;
  cam_error error;
  int code = EXIT_DONE;
  if (cli_parse(&arguments, commands, argc, argv, &error))
    code = cli_fail(NULL, &error);
  else if (arguments.help)
    help_command(arguments.command, stdout);
  else
    code = arguments.command->run(&arguments);
  cli_free(&arguments);
  return code;
}

int main(int argc, char **argv) {
  int code = run(argc, argv);
  if ((fflush(stdout) || ferror(stdout)) && !code) { /* a full disk is a failure too */
    fprintf(stderr, "camserve: standard output: %s\n", strerror(errno));
    code = EXIT_FAILED;
  }
  exit(code);
}
