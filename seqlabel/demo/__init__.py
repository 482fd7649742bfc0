"""The demonstration page: write or speak in a browser, and see a model read it.

`serve(app)` answers on the loopback address until Ctrl-C. Features, network and decoder run here,
in Python, so that they are the trained ones; the page captures, draws and asks.

    page/        what the browser gets: HTML, CSS and JavaScript modules
    server       requests to answers
    connections  time limits and how many connections there may be
    security     who may ask
    bodies       what a request may hold
    reading      signals to readings, as the page draws them
    recordings   sound that is still coming in
    examples     ink for those who have no pen at hand
    corpus       ink and sound kept with their right text
"""
