"""The images that drivers and executors run in: made from this machine's packages and our locks, without a daemon or a registry.

``teamspark image build TEAM`` writes the Spark image and over it a layer of the team's jobs. ``spark`` and ``team`` say what is
in them, ``parts`` with ``debian``, ``jre`` and ``classes`` how each layer is made, ``kept`` that it is made once, ``oci`` with
``blobs`` and ``trees`` how layers become an archive. ``Dockerfile`` is the same for who has Docker.

Belongs here: what is in an image, and the archive that it becomes. Does not: where an image is pushed to, and who may run
which (``k8s.render.admission``).

Decisions:

* **A tag is a digest of the content**, so a node that has the name has the image. *Rejected*: versions, which somebody must count.
* **No times in an image**: byte code is known by its hash, and class-data archives fit wherever the image is unpacked.
* **Spark's jars behind one jar that names them**: Java expands ``jars/*`` in the order of the folder, which is another on every
  file system, and an archive of classes that was made in another order is ignored.
* **A thin archive for development**: without the layers below it, an import takes a tenth of a second instead of half a minute.
  Where the image below was not imported first, the import fails and leaves a name without an image.
* **Fixtures stay out**: they are data of tests.

Limits: Debian's main archive only, so fixes of its security archive come with the next point release; built for the processor of
this machine; a part is made again when what it is made from changes, not when Debian has a newer package.
"""
